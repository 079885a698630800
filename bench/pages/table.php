<?php $from = (int) ($_GET['from'] ?? 0); ?>
<table>
<?php for ($row = $from; $row < $from + 1000; $row++) { ?>
<tr><td><?= htmlspecialchars("Row $row: Tom & Jerry") ?></td></tr>
<?php } ?>
</table>
