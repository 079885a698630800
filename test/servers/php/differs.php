<?php
// What is not the same, on purpose.
switch ($_GET['case']) {
    case 'redirect':
        header('Location: /there', true, 307);
        exit;
    case 'path':
        setcookie('a', '1');
        break;
    case 'lines':
        header("X-Name: a\r\nX-More: b");
        echo 'sent';
        break;
    case 'exit':
        try {
            exit('over');
        } catch (Throwable $error) {
            echo ', and caught';
        } finally {
            echo ', finally';
        }
        break;
    case 'files':
        foreach ($_FILES as $name => $file) {
            unset($_FILES[$name]['tmp_name']);
        }
        header('Content-Type: application/json');
        echo json_encode((object) $_FILES);
        break;
    case 'echo':
        echo '<b>', "\n";
        echo 1.0, true, false, null, "\n";
        break;
}
