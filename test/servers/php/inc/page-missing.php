<p>There is no page
<q><?= htmlspecialchars(is_string($_GET['page']) ? $_GET['page'] : '(several)') ?></q>.</p>
<?php return 0 ?>
