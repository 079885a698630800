<?php if ($level === 2) return; ?>
<aside><?= str_repeat('*', $level) ?> <?= $words ?></aside>
