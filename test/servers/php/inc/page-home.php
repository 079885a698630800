<?php $text = "Everything in stock, 'cheap' & \"good\"\n   since " . $config['since'] . ' or so, and then some more'; ?>
<p><?= htmlspecialchars(excerpt($text, 8)) ?></p>
<pre><?= htmlspecialchars($text) ?>

</pre>
<?php return str_word_count($text);
