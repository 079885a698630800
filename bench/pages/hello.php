<?php $name = $_GET['name'] ?? 'you'; ?>
<h1>Hello <?= htmlspecialchars($name) ?></h1>
