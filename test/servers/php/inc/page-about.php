<p>This part of the site has no PHP at all: 1 < 2 && 3 > 2.</p>
