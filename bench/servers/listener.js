// @ts-check
import { once } from 'node:events';
import { createServer } from 'fcgi';

const BODY = 'Hello World';

/** What http.js does, word for word, on the other door. */
const server = createServer((_req, res) => {
  res.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Content-Length': BODY.length });
  res.end(BODY);
});

export default (/** @type {string} */ path) => once(server.listen(path), 'listening');
