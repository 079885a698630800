<?php
header('Content-Type: text/plain');
echo "admin, by {$_SERVER['SCRIPT_NAME']}, asked for {$_SERVER['REQUEST_URI']}";
