<?php
// Notes over JSON: GET all or ?id=, POST, PUT ?id=, DELETE ?id=.
header('Content-Type: application/json');
header('Cache-Control: no-cache');
header('Access-Control-Allow-Origin: *');

const FLAGS = JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES;

function answer($data, int $status = 200): void
{
    http_response_code($status);
    echo json_encode($data, FLAGS);
    exit;
}

function fail(int $status, string $message): void
{
    answer(['error' => ['status' => $status, 'message' => $message]], $status);
}

function input(): array
{
    if (stripos($_SERVER['CONTENT_TYPE'] ?? '', 'application/json') !== 0) {
        fail(415, 'Send JSON');
    }
    $input = json_decode(file_get_contents('php://input'), true);
    if (!is_array($input)) {
        fail(400, 'That is no JSON object');
    }
    if (!isset($input['text']) || !is_string($input['text']) || trim($input['text']) === '') {
        fail(422, 'A note has a text');
    }
    return ['text' => $input['text'], 'tags' => array_values(array_filter((array) ($input['tags'] ?? []), 'is_string'))];
}

$file = $_SERVER['DATA_DIR'] . '/notes.json';
$notes = is_file($file) ? json_decode(file_get_contents($file), true) : [];
$save = fn(array $notes) => file_put_contents($file, json_encode($notes, FLAGS), LOCK_EX);

$id = $_GET['id'] ?? null;
if ($id !== null && !isset($notes['n' . $id])) {
    fail(404, "There is no note $id");
}

switch ($_SERVER['REQUEST_METHOD']) {
    case 'OPTIONS':
        header('Access-Control-Allow-Methods: GET, POST, PUT, DELETE');
        header('Access-Control-Allow-Headers: Content-Type');
        http_response_code(204);
        exit;
    case 'GET':
    case 'HEAD':
        answer($id === null ? ['notes' => array_values($notes), 'total' => count($notes)] : $notes['n' . $id]);
    case 'POST':
        $new = count($notes) + 1;
        $notes['n' . $new] = ['id' => $new] + input();
        $save($notes);
        header('Location: ' . $_SERVER['SCRIPT_NAME'] . '?id=' . $new);
        answer($notes['n' . $new], 201);
    case 'PUT':
        if ($id === null) fail(400, 'Which note?');
        $notes['n' . $id] = ['id' => (int) $id] + input();
        $save($notes);
        answer($notes['n' . $id]);
    case 'DELETE':
        if ($id === null) fail(400, 'Which note?');
        unset($notes['n' . $id]);
        $save($notes);
        http_response_code(204);
        exit;
    default:
        header('Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS');
        fail(405, 'Not that way');
}
