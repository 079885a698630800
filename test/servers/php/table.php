<?php
// A table of customers: sorted by a column, found by a word, in pages.
require __DIR__ . '/inc/customers.php';

const PER_PAGE = 10;
$columns = ['id' => 'No.', 'name' => 'Name', 'city' => 'City', 'balance' => 'Balance'];

$sort = $_GET['sort'] ?? 'id';
if (!is_string($sort) || !array_key_exists($sort, $columns)) {
    $sort = 'id';
}
$isDown = ($_GET['dir'] ?? '') === 'desc';
$search = isset($_GET['q']) && is_string($_GET['q']) ? trim($_GET['q']) : '';

$rows = customers();
if ($search !== '') {
    $rows = array_filter($rows, fn($row) => stripos($row['name'], $search) !== false || stripos($row['city'], $search) !== false);
}
usort($rows, function ($a, $b) use ($sort, $isDown) {
    $order = $a[$sort] <=> $b[$sort] ?: $a['id'] <=> $b['id'];
    return $isDown ? -$order : $order;
});

$total = count($rows);
$pages = max(1, (int) ceil($total / PER_PAGE));
$page = min($pages, max(1, (int) ($_GET['page'] ?? 1)));
$rows = array_slice($rows, ($page - 1) * PER_PAGE, PER_PAGE);

function link_to(array $change): string
{
    global $sort, $isDown, $search, $page;
    $query = array_merge(['q' => $search, 'sort' => $sort, 'dir' => $isDown ? 'desc' : 'asc', 'page' => $page], $change);
    return htmlspecialchars($_SERVER['SCRIPT_NAME'] . '?' . http_build_query($query));
}
?>
<!DOCTYPE html>
<html>
<head><title>Customers<?php if ($search !== '') echo ': ', htmlspecialchars($search); ?></title></head>
<body>
<form><input name="q" value="<?= htmlspecialchars($search, ENT_QUOTES) ?>"></form>
<?php if (!$rows) { ?>
<p>Nobody was found.</p>
<?php } else { ?>
<table>
  <tr>
<?php foreach ($columns as $column => $title): ?>
    <th<?php if ($column === $sort) echo ' class="sorted"'; ?>><a href="<?= link_to(['sort' => $column, 'dir' => $column === $sort && !$isDown ? 'desc' : 'asc', 'page' => 1]) ?>"><?= $title ?></a></th>
<?php endforeach ?>
  </tr>
<?php foreach ($rows as $i => $row): ?>
  <tr class="<?= $i % 2 ? 'odd' : 'even' ?>">
    <td><?= $row['id'] ?></td>
    <td title='<?= htmlspecialchars($row['name']) ?>'><?= htmlspecialchars($row['name']) ?></td>
    <td><?= htmlspecialchars($row['city']) ?></td>
    <td<?php if ($row['balance'] < 0): ?> class="red"<?php endif ?>><?= number_format($row['balance'], 2) ?></td>
  </tr>
<?php endforeach ?>
</table>
<p><?= $total ?> customers, page <?= $page ?> of <?= $pages ?>:
<?php for ($i = 1; $i <= $pages; $i++): ?>
<?php if ($i === $page): ?>
  <b><?= $i ?></b>
<?php else: ?>
  <a href="<?= link_to(['page' => $i]) ?>"><?= $i ?></a>
<?php endif ?>
<?php endfor ?>
</p>
<?php } ?>
</body>
</html>
