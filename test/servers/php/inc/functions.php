<?php
function excerpt(string $text, int $words): string
{
    $all = preg_split('/\s+/', trim($text));
    return count($all) <= $words ? $text : implode(' ', array_slice($all, 0, $words)) . ' …';
}
