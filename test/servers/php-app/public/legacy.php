<?php
header('Content-Type: text/plain');
echo $_SERVER['SCRIPT_NAME'], ' ', $_SERVER['PATH_INFO'] ?? 'none', ' ', $_SERVER['PHP_SELF'], ' ', bin2hex($_SERVER['PATH_INFO'] ?? '');
