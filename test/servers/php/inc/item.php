<section id="item-<?= $number ?>">
  <h2><?= htmlspecialchars($title) ?></h2>
  <b><?= number_format($price, 2) ?></b>
</section>
