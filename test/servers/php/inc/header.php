<?php header('X-Page: ' . $page); ?>
<!DOCTYPE html>
<title><?= htmlspecialchars($title) ?> - <?= htmlspecialchars($config['name']) ?></title>
<?php include __DIR__ . '/menu.php'; ?>
<h1><?= htmlspecialchars($title) ?></h1>
