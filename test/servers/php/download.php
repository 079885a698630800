<?php
// Sends a file of the folder for downloads, to be kept or to be shown.
$folder = $_SERVER['DATA_DIR'] . '/downloads';
$types = ['csv' => 'text/csv', 'txt' => 'text/plain', 'pdf' => 'application/pdf', 'png' => 'image/png'];

if (!in_array($_SERVER['REQUEST_METHOD'], ['GET', 'HEAD'], true)) {
    http_response_code(405);
    header('Allow: GET, HEAD');
    exit;
}

$name = $_GET['file'] ?? '';
if (!is_string($name) || $name === '' || $name[0] === '.' || $name !== basename($name)) {
    http_response_code(400);
    die('Which file?');
}
$path = $folder . '/' . $name;
if (!is_file($path)) {
    header('HTTP/1.0 404 Not Found');
    echo '<h1>404</h1><p>There is no <i>', htmlspecialchars($name), '</i>.</p>';
    exit;
}

$modified = filemtime($path);
$etag = '"' . dechex($modified) . '-' . dechex(filesize($path)) . '"';
header('Last-Modified: ' . gmdate('D, d M Y H:i:s', $modified) . ' GMT');
header('ETag: ' . $etag);
header('Cache-Control: private, max-age=3600');
if (($_SERVER['HTTP_IF_NONE_MATCH'] ?? '') === $etag) {
    http_response_code(304);
    exit;
}

$extension = strtolower(pathinfo($name, PATHINFO_EXTENSION));
header('Content-Type: ' . ($types[$extension] ?? 'application/octet-stream'));
$disposition = isset($_GET['show']) ? 'inline' : 'attachment';
$ascii = str_replace(['"', '\\'], '_', preg_replace('/[^\x20-\x7e]/u', '_', $name));
header("Content-Disposition: $disposition; filename=\"$ascii\"; filename*=UTF-8''" . rawurlencode($name));
header('Content-Length: ' . filesize($path));
header('X-Content-Type-Options: nosniff');
while (ob_get_level()) {
    ob_end_clean();
}
readfile($path);
exit;
