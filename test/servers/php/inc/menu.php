<nav>
<?php foreach ($config['pages'] as $key => $label) { ?>
  <a href="?page=<?= $key ?>"<?= $key === $page ? ' class="here"' : '' ?>><?= htmlspecialchars($label) ?></a>
<?php } ?>
</nav>
