<?php
function view(string $title, string $content): void
{
    header('Content-Type: text/html; charset=utf-8');
    echo "<!DOCTYPE html>\n<title>", htmlspecialchars($title), "</title>\n<h1>", htmlspecialchars($title), "</h1>\n$content\n";
}

function json(mixed $value): void
{
    header('Content-Type: application/json');
    echo json_encode($value, JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES);
}
