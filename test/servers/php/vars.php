<?php
header('Content-Type: application/json');
$flags = JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE;
echo json_encode(['get' => (object) $_GET, 'post' => (object) $_POST, 'cookie' => (object) $_COOKIE, 'request' => (object) $_REQUEST], $flags);
