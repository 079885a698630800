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
    case 'echo':
        echo '<b>', "\n";
        echo 1.0, true, false, null, "\n";
        break;
}
