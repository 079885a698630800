<div class="banner"><?= htmlspecialchars($config['name']) ?> since <?= $config['since'] ?></div>
