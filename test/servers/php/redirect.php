<?php
// Short links, and where the old site's pages have gone.
$links = [
    'docs' => 'https://docs.example.org/start',
    'shop' => '/shop/?from=short&lang=de',
    'grüße' => '/grüße/#山',
];
$moved = ['/news.asp' => '/news', '/contact.html' => 'mailer.php'];

if (isset($_GET['old'])) {
    // Whoever links to it is to learn the new address.
    $to = is_string($_GET['old']) ? ($moved[$_GET['old']] ?? null) : null;
    if ($to === null) {
        header('HTTP/1.1 410 Gone');
        header('Content-Type: text/plain; charset=utf-8');
        exit("Gone, and nobody knows where to\n");
    }
    header('HTTP/1.1 301 Moved Permanently');
    header('Location: ' . $to);
    exit;
}

if (isset($_GET['back'])) {
    // Only within this site: neither to another one, nor as its protocol-relative address.
    $back = is_string($_GET['back']) ? $_GET['back'] : '/';
    if (!preg_match('#^/(?![/\\\\])[\x21-\x7e]*$#D', $back)) {
        $back = '/';
    }
    header("Location: $back", true, $_SERVER['REQUEST_METHOD'] === 'POST' ? 303 : 307);
    exit();
}

$name = $_GET['to'] ?? '';
if (isset($links[$name])) {
    if (isset($_GET['preview'])) {
        header('Refresh: 5; url=' . $links[$name]);
        printf('<p>You are being taken to <a href="%1$s">%1$s</a>.</p>', htmlspecialchars($links[$name]));
        exit;
    }
    header('Referrer-Policy: no-referrer');
    header('Location: ' . $links[$name]);
    exit;
}

http_response_code(404);
?>
<h1>No such link</h1>
<p><?= htmlspecialchars($name) ?> is none of:</p>
<ul>
<?php foreach (array_keys($links) as $known): ?>
  <li><a href="?to=<?= urlencode($known) ?>"><?= $known ?></a></li>
<?php endforeach; ?>
</ul>
