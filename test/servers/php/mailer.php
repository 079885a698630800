<?php
// A contact form. What is sent goes to the outbox, from where the mail server takes it.
$fields = ['name' => '', 'email' => '', 'topic' => 'question', 'message' => ''];
$topics = ['question' => 'A question', 'order' => 'An order', 'complaint' => 'A complaint'];
$errors = [];

if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    foreach ($fields as $field => $default) {
        $fields[$field] = isset($_POST[$field]) && is_string($_POST[$field]) ? trim($_POST[$field]) : $default;
    }
    if ($fields['name'] === '') {
        $errors['name'] = 'Please tell us your name.';
    } elseif (preg_match('/[\r\n]/', $fields['name'])) {
        $errors['name'] = 'A name has one line.';
    }
    if (!preg_match('/^[\w.+-]+@[\w-]+(\.[\w-]+)+$/D', $fields['email'])) {
        $errors['email'] = '"' . $fields['email'] . '" is no address we could answer to.';
    }
    if (!isset($topics[$fields['topic']])) {
        $errors['topic'] = 'Please choose a topic.';
    }
    if (strlen($fields['message']) < 10) {
        $errors['message'] = 'Please write a little more.';
    }
    // People do not see this field; robots fill it in.
    $isRobot = !empty($_POST['website']);

    if (!$errors) {
        if (!$isRobot) {
            $copies = empty($_POST['copy']) ? [] : ['Cc: ' . $fields['email']];
            $mail = array_merge([
                'To: office@example.org',
                'From: "' . addcslashes($fields['name'], '"\\') . '" <' . $fields['email'] . '>',
                'Subject: ' . $topics[$fields['topic']],
            ], $copies, ['', str_replace("\r\n", "\n", $fields['message']), '', '']);
            file_put_contents($_SERVER['DATA_DIR'] . '/outbox.txt', implode("\n", $mail), FILE_APPEND | LOCK_EX);
        }
        header('Location: ' . $_SERVER['PHP_SELF'] . '?sent=' . urlencode($fields['name']), true, 303);
        exit;
    }
    http_response_code(422);
}
?>
<!DOCTYPE html>
<title>Contact</title>
<h1>Write to us</h1>
<?php if (isset($_GET['sent'])): ?>
<p class="thanks">Thank you, <?= htmlspecialchars($_GET['sent']) ?>!</p>
<?php endif; ?>
<?php if ($errors): ?>
<ul class="errors">
<?php foreach ($errors as $field => $error): ?>
  <li><a href="#<?= $field ?>"><?= htmlspecialchars($error) ?></a></li>
<?php endforeach; ?>
</ul>
<?php endif; ?>
<form method="post" action="<?= htmlspecialchars($_SERVER['PHP_SELF']) ?>">
  <input id="name" name="name" value="<?= htmlspecialchars($fields['name']) ?>"<?= isset($errors['name']) ? ' class="wrong"' : '' ?>>
  <input id="email" name="email" value="<?= htmlspecialchars($fields['email']) ?>"<?= isset($errors['email']) ? ' class="wrong"' : '' ?>>
  <select id="topic" name="topic">
<?php foreach ($topics as $value => $label): ?>
    <option value="<?= $value ?>"<?= $value === $fields['topic'] ? ' selected' : '' ?>><?= $label ?></option>
<?php endforeach; ?>
  </select>
  <textarea id="message" name="message"><?= htmlspecialchars($fields['message']) ?></textarea>
  <input name="website" hidden>
  <label><input type="checkbox" name="copy" value="1"> Send me a copy</label>
  <button>Send</button>
</form>
