<p>The rest is left out.</p>
<?php
http_response_code(403);
exit("<p>Good-bye &amp; thanks</p>\n");
