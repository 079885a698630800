<?php
// A magazine: article.php/2024/a-slug, article.php/2024 for a year, article.php for all years.
$articles = [
    2023 => ['first' => ['The first & only', 'It begins.'], 'grüße' => ['Grüße', 'Viele "Grüße".']],
    2024 => ['a-b' => ['A < B', "Of sizes, and what's next."]],
];
$base = $_SERVER['SCRIPT_NAME'];
$info = $_SERVER['PATH_INFO'] ?? '';

function missing(string $what): never
{
    http_response_code(404);
    echo '<h1>Not found</h1><p>', htmlspecialchars($what), '</p>';
    exit;
}

// One article has one address.
if ($info !== '/' && substr($info, -1) === '/') {
    header('Location: ' . $base . implode('/', array_map('rawurlencode', explode('/', rtrim($info, '/')))), true, 301);
    exit;
}

$parts = $info === '' || $info === '/' ? [] : explode('/', substr($info, 1));
if (count($parts) > 2) {
    missing('More than a year and a name: ' . $info);
}
[$year, $slug] = $parts + [null, null];
if ($year !== null && !(preg_match('/^\d+$/D', $year) && isset($articles[(int) $year]))) {
    missing("Nothing of the year $year");
}
if ($slug !== null && !isset($articles[(int) $year][$slug])) {
    missing("No article '$slug' in $year");
}
header('Link: <' . $base . implode('/', array_map('rawurlencode', explode('/', $info))) . '>; rel="canonical"');
?>
<nav><a href="<?= $base ?>">All</a><?php if ($year) { ?> / <a href="<?= "$base/$year" ?>"><?= $year ?></a><?php } ?></nav>
<?php if ($slug !== null): [$title, $text] = $articles[(int) $year][$slug]; ?>
<article>
  <h1><?= htmlspecialchars($title) ?></h1>
  <p><?= nl2br(htmlspecialchars($text)) ?></p>
  <small><?= htmlspecialchars($_SERVER['PHP_SELF']) ?>, <?= htmlspecialchars($_SERVER['REQUEST_URI']) ?>, <?= strlen($_SERVER['QUERY_STRING']) ?></small>
</article>
<?php elseif ($year !== null): ?>
<ul>
<?php foreach ($articles[(int) $year] as $name => [$title]): ?>
  <li><a href="<?= $base, '/', $year, '/', rawurlencode($name) ?>"><?= htmlspecialchars($title) ?></a>
<?php endforeach ?>
</ul>
<?php else: ?>
<?php foreach (array_reverse(array_keys($articles)) as $known): ?>
<a href="<?= $base, '/', $known ?>"><?= $known ?></a>
<?php endforeach ?>
<?php endif ?>
