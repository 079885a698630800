<?php
// How often each page was visited, as text or as a script to put into pages; who has the cookie is not counted again.
header('Cache-Control: no-store, must-revalidate');
header('X-Counter: visits');

$page = $_GET['page'] ?? 'home';
if (!is_string($page) || !preg_match('/^[a-z][a-z0-9-]{0,31}$/D', $page)) {
    header($_SERVER['SERVER_PROTOCOL'] . ' 400 Bad Request');
    header('Content-Type: text/plain');
    exit('No such page');
}

$file = $_SERVER['DATA_DIR'] . '/counter.json';
$handle = fopen($file, 'c+');
flock($handle, LOCK_EX);
$visits = json_decode(stream_get_contents($handle), true) ?: [];
$visits[$page] ??= 0;
if (!isset($_COOKIE['visited_' . $page])) {
    $visits[$page]++;
    setcookie('visited_' . $page, '1', time() + 86400, '/', '', false, true);
    rewind($handle);
    ftruncate($handle, 0);
    fwrite($handle, json_encode($visits));
}
fclose($handle);

$count = $visits[$page];
switch ($_GET['as'] ?? 'html') {
    case 'text':
        header('Content-Type: text/plain');
        echo $count;
        break;
    case 'js':
        header('Content-Type: text/javascript; charset=UTF-8');
        printf('document.write(%s);', json_encode($count . ($count === 1 ? ' visit' : ' visits')));
        break;
    default:
        echo '<p>', $count, ' ', $count === 1 ? 'visit' : 'visits', " to <b>$page</b></p>\n";
        arsort($visits);
        foreach ($visits as $name => $number) {
            echo '<span title="', htmlspecialchars($name), '">', number_format($number), "</span>\n";
        }
}
