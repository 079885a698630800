<?php
// What a visitor likes, kept in cookies.
$themes = ['light', 'dark'];

if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    $year = ['expires' => time() + 365 * 86400, 'path' => '/', 'secure' => true, 'httponly' => true, 'samesite' => 'Lax'];
    switch ($_POST['action'] ?? 'save') {
        case 'forget':
            foreach ($_COOKIE['likes'] ?? [] as $name => $value) {
                setcookie("likes[$name]", '', time() - 3600, '/');
            }
            setcookie('theme', '', ['path' => '/']);
            break;
        case 'remind':
            // Until the browser is closed.
            setcookie('reminded', 'yes', 0, '/');
            break;
        case 'save':
            if (in_array($_POST['theme'] ?? null, $themes, true)) {
                setcookie('theme', $_POST['theme'], $year);
            }
            foreach ($_POST['likes'] ?? [] as $name => $value) {
                if (preg_match('/^\w+$/', $name) && is_string($value)) {
                    setcookie("likes[$name]", $value, ['samesite' => 'Strict'] + $year);
                }
            }
            break;
        default:
            http_response_code(400);
            exit('What?');
    }
    header('Location: ' . $_SERVER['REQUEST_URI'], true, 303);
    exit;
}

$theme = $_COOKIE['theme'] ?? 'light';
$last = $_COOKIE['last'] ?? null;
setcookie('last', $_SERVER['REQUEST_URI'] . ' & "more"; ü', ['expires' => time() + 60, 'path' => '/']);
header('Vary: Cookie');
?>
<body class="<?= htmlspecialchars($theme) ?>">
<?php if ($last !== null): ?>
<p>You were at <code><?= htmlspecialchars($last) ?></code>.</p>
<?php endif ?>
<dl>
<?php foreach ($_COOKIE['likes'] ?? [] as $name => $value): ?>
  <dt><?= htmlspecialchars($name) ?></dt><dd><?= htmlspecialchars($value) ?></dd>
<?php endforeach ?>
</dl>
