<footer>
  &copy; <?= $config['since'] ?>-<?php echo 2026 ?>

  <?= basename(__FILE__, '.php') ?> of <?= $page ?>?>
</footer>
