<?php
// A front controller, as frameworks have it: what is no file comes here.
declare(strict_types=1);

require __DIR__ . '/../lib/view.php';

$base = rtrim(dirname($_SERVER['SCRIPT_NAME']), '/');
$path = substr(rawurldecode(strtok($_SERVER['REQUEST_URI'], '?')), strlen($base));
$method = $_SERVER['REQUEST_METHOD'];

session_name('app');
session_start(['cookie_httponly' => true, 'cookie_path' => "$base/"]);

$routes = [
    'GET /' => function () use ($base) {
        $_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
        view('Home', "<p>Visit {$_SESSION['visits']}</p><a href=\"$base/posts/1\">First post</a>");
    },
    'GET /posts/(\d+)' => function ($id) {
        header("Link: </posts/$id/comments>; rel=\"next\"");
        view("Post $id", '<p>' . htmlspecialchars($_GET['q'] ?? 'no query') . '</p>');
    },
    'GET /tags/(.+)' => fn ($tag) => view('Tag', '<p>' . htmlspecialchars($tag) . '</p>'),
    'POST /login' => function () use ($base) {
        session_regenerate_id(true);
        if (($_POST['password'] ?? '') !== 'secret') {
            http_response_code(403);
            view('Login', '<p>No</p>');
            return;
        }
        $_SESSION['user'] = $_POST['user'];
        setcookie('remember', $_POST['user'], ['path' => "$base/", 'samesite' => 'Lax']);
        setcookie('theme', 'dark');
        header("Location: $base/me");
    },
    'GET /me' => function () use ($base) {
        if (!isset($_SESSION['user'])) {
            header("Location: $base/", true, 303);
            return;
        }
        view('You', "<p>{$_SESSION['user']}, " . ($_COOKIE['remember'] ?? 'forgotten') . '</p>');
    },
    'POST /logout' => function () use ($base) {
        $_SESSION = [];
        session_destroy();
        setcookie('remember', '', 1, "$base/");
        header("Location: $base/", true, 303);
    },
    'POST /upload' => function () {
        $told = [];
        foreach ($_FILES as $field => $file) {
            $told[$field] = [
                'name' => $file['name'],
                'type' => $file['type'],
                'size' => $file['size'],
                'error' => $file['error'],
                'sha1' => $file['error'] === 0 ? sha1_file($file['tmp_name']) : null,
            ];
        }
        json(['files' => $told, 'fields' => $_POST]);
    },
    '(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /echo' => function () {
        $hash = hash_init('sha1');
        $length = hash_update_stream($hash, fopen('php://input', 'rb'));
        json([
            'method' => $_SERVER['REQUEST_METHOD'],
            'length' => $length,
            'sha1' => hash_final($hash),
            'told' => ($_SERVER['CONTENT_LENGTH'] ?? '') ?: null,
            'type' => ($_SERVER['CONTENT_TYPE'] ?? '') ?: null,
        ]);
    },
    'GET /server' => function () {
        $names = ['REQUEST_METHOD', 'REQUEST_URI', 'QUERY_STRING', 'SCRIPT_NAME', 'PHP_SELF', 'PATH_INFO', 'DOCUMENT_URI',
            'SERVER_PROTOCOL', 'GATEWAY_INTERFACE', 'REDIRECT_STATUS', 'REQUEST_SCHEME', 'SERVER_NAME', 'REMOTE_ADDR', 'HTTP_HOST',
            'HTTP_X_ONE', 'HTTP_X_TWO', 'HTTP_PROXY', 'HTTP_COOKIE', 'HTTP_AUTHORIZATION', 'PHP_AUTH_USER', 'PHP_AUTH_PW'];
        $told = array_intersect_key($_SERVER, array_flip($names));
        ksort($told);
        $told['script'] = str_replace($_SERVER['DOCUMENT_ROOT'], '', $_SERVER['SCRIPT_FILENAME']);
        $told['https'] = !empty($_SERVER['HTTPS']);
        json($told);
    },
    'GET /cached' => function () {
        header('ETag: "v1"');
        if (($_SERVER['HTTP_IF_NONE_MATCH'] ?? '') === '"v1"') http_response_code(304);
        else view('Cached', '<p>fresh</p>');
    },
    'GET /large' => function () {
        header('Content-Type: application/octet-stream');
        for ($i = 0; $i < 300; $i++) {
            echo str_repeat(chr($i % 256), 10007);
            flush();
        }
    },
    'GET /empty' => function () {
        http_response_code(204);
    },
    'GET /teapot' => function () {
        header('HTTP/1.1 418 Short and stout');
        header('WWW-Authenticate: Basic realm="a"');
        header('WWW-Authenticate: Bearer', false);
        echo 'tea';
    },
    'GET /warn' => function () {
        trigger_error('this is for the log', E_USER_WARNING);
        echo 'warned';
    },
    'GET /fail' => fn () => throw new RuntimeException('nobody catches this'),
    'GET /protected/(\w+\.txt)' => function ($name) {
        header('Content-Type: text/x-protected');
        header('Content-Disposition: attachment; filename="' . $name . '"');
        header("X-Accel-Redirect: /.protected/$name");
    },
];

foreach ($routes as $pattern => $handler) {
    if (preg_match("~^$pattern$~", "$method $path", $match)) {
        $handler(...array_slice($match, str_starts_with($pattern, '(') ? 2 : 1));
        return;
    }
}
http_response_code(404);
view('Not found', '<p>' . htmlspecialchars($path) . '</p>');
