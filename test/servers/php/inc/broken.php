<p>Before</p>
<?php
throw new LogicException('secret ' . $sum);
