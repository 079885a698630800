<?php
// An invoice, and what can go wrong with it.
class InvoiceException extends RuntimeException
{
}

function total(array $lines): float
{
    $sum = 0;
    foreach ($lines as $line) {
        if (!is_numeric($line)) {
            throw new InvoiceException("no amount: $line");
        }
        $sum += $line;
    }
    return $sum;
}

header('X-Invoice: yes');
try {
    $sum = total($_GET['lines'] ?? [1, 2.5]);
} catch (InvoiceException $error) {
    if (isset($_GET['careful'])) {
        http_response_code(422);
        header('Content-Type: text/plain');
        exit('Please mend this: ' . $error->getMessage());
    }
    throw $error;
}
if (isset($_GET['busy'])) {
    http_response_code(503);
    header('Retry-After: 120');
    exit('<h1>Come back later</h1>');
}
if (isset($_GET['deep'])) {
    include __DIR__ . '/inc/broken.php';
}
?>
<p>Total: <?= number_format($sum, 2) ?></p>
<?php if (isset($_GET['unknown'])) { no_such_function($sum); } ?>
