<?php
// A newsletter made of templates whose output is collected, counted, and sent with its length and entity tag.
$outer = ob_get_level();
ob_start();

function render(string $template, array $vars): string
{
    extract($vars);
    ob_start();
    include __DIR__ . "/inc/$template.php";
    return ob_get_clean();
}

$items = [
    ['title' => 'Fish & chips', 'price' => 7.5],
    ['title' => '"Quoted" <dish>', 'price' => 12.25],
    ['title' => 'Käse', 'price' => 3],
];
$html = '';
foreach ($items as $number => $item) {
    $html .= render('item', ['number' => $number + 1] + $item);
}

echo "<h1>Menu</h1>\n", $html;

// What is collected can be changed, dropped, or let go.
ob_start();
echo 'Shouted: fish';
$shouted = strtoupper(ob_get_contents());
ob_end_clean();
echo "<p>$shouted, level ", ob_get_level() - $outer, "</p>\n";

ob_start();
echo 'dropped';
ob_clean();
echo "kept\n";
ob_end_flush();

ob_start();
echo "let go\n";
$let = ob_get_flush();
echo '<p>', strlen($let), ' ', ob_get_length() > 100 ? 'long' : 'short', "</p>\n";

if (($_GET['format'] ?? '') === 'text') {
    $all = ob_get_clean();
    header('Content-Type: text/plain; charset=UTF-8');
    echo html_entity_decode(strip_tags($all), ENT_QUOTES);
    exit;
}
if (isset($_GET['cancel'])) {
    ob_end_clean();
    http_response_code(204);
    exit;
}

$page = ob_get_contents();
$etag = '"' . md5($page) . '"';
header("ETag: $etag");
if (trim($_SERVER['HTTP_IF_NONE_MATCH'] ?? '') === $etag) {
    ob_end_clean();
    http_response_code(304);
    exit;
}
header('Content-Length: ' . ob_get_length());
header('X-Level: ' . ob_get_level() - $outer);
ob_end_flush();
