<?php
// A page of a site made of parts: settings, header, menu, the page itself, footer.
$config = require __DIR__ . '/inc/config.php';
require_once __DIR__ . '/inc/functions.php';

$page = $_GET['page'] ?? 'home';
if (!is_string($page) || !array_key_exists($page, $config['pages'])) {
    http_response_code(404);
    $page = 'missing';
}
$title = $config['pages'][$page] ?? 'Not found';

include __DIR__ . '/inc/header.php';
// Counted once, however often it is asked for.
include_once __DIR__ . '/inc/banner.php';
include_once __DIR__ . '/inc/banner.php';
?>
<main>
<?php
$words = include __DIR__ . "/inc/page-$page.php";
for ($level = 1; $level <= 3; $level++) {
    include __DIR__ . '/inc/aside.php';
}
?>
</main>
<?php include __DIR__ . '/inc/footer.php'; ?>
