<?php
return [
    'name' => 'Müller & Co.',
    'pages' => ['home' => 'Welcome', 'about' => 'About <us>', 'quit' => 'Early end'],
    'since' => 1998,
];
