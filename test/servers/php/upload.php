<?php
// A gallery: pictures are sent, up to three at a time, looked at, and listed.
$folder = $_SERVER['DATA_DIR'] . '/pictures';
if (!is_dir($folder)) {
    mkdir($folder);
}
$kinds = ["\x89PNG\r\n" => 'png', "GIF8" => 'gif', "\xff\xd8\xff" => 'jpg'];
const MAX_SIZE = 200000;
$messages = [];

function kind_of(string $file): ?string
{
    global $kinds;
    $begin = file_get_contents($file, false, null, 0, 8);
    foreach ($kinds as $magic => $kind) {
        if (strncmp($begin, $magic, strlen($magic)) === 0) return $kind;
    }
    return null;
}

function keep(string $name, string $type, string $tmp, int $size): string
{
    global $folder;
    $shown = htmlspecialchars($name);
    if ($size > MAX_SIZE) return "$shown is too large: $size bytes";
    $kind = kind_of($tmp);
    if ($kind === null) return "$shown is no picture, though it is said to be " . htmlspecialchars($type);
    $target = $folder . '/' . substr(sha1_file($tmp), 0, 12) . '.' . $kind;
    if (is_file($target)) return "$shown is here already";
    if (!move_uploaded_file($tmp, $target)) return "$shown could not be kept";
    return "$shown is kept, $size bytes of $kind" . (move_uploaded_file($tmp, $target) ? ' twice' : '');
}

if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    // One cover, and any number of pictures: PHP has each property of those in a list of its own.
    if (isset($_FILES['cover']) && $_FILES['cover']['error'] === UPLOAD_ERR_OK) {
        $cover = $_FILES['cover'];
        $messages[] = 'Cover: ' . keep($cover['name'], $cover['type'], $cover['tmp_name'], $cover['size']);
    }
    foreach ($_FILES['pics']['name'] ?? [] as $key => $name) {
        if ($_FILES['pics']['error'][$key] !== UPLOAD_ERR_OK) continue;
        $title = $_POST['titles'][$key] ?? 'untitled';
        $messages[] = htmlspecialchars("$key ($title): ")
            . keep($name, $_FILES['pics']['type'][$key], $_FILES['pics']['tmp_name'][$key], $_FILES['pics']['size'][$key]);
    }
    if (!$messages) {
        http_response_code(400);
        $messages[] = 'Nothing was sent, ' . htmlspecialchars($_POST['from'] ?? 'stranger');
    }
    // Only what was sent may be moved.
    if (isset($_POST['move']) && move_uploaded_file($_POST['move'], "$folder/stolen")) $messages[] = 'Stolen';
}
$pictures = glob("$folder/*") ?: [];
?>
<!DOCTYPE html>
<title>Gallery</title>
<?php foreach ($messages as $message): ?>
<p><?= $message ?></p>
<?php endforeach ?>
<ul>
<?php foreach ($pictures as $picture): ?>
  <li><?= basename($picture) ?>, <?= number_format(filesize($picture)) ?> bytes, <?= md5_file($picture) ?></li>
<?php endforeach ?>
</ul>
<form method="post" enctype="multipart/form-data">
  <input type="file" name="cover"> <input type="file" name="pics[]" multiple> <input name="titles[]"> <button>Send</button>
</form>
