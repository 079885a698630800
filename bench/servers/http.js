// @ts-check
import { once } from 'node:events';
import { createServer } from 'node:http';

const BODY = 'Hello World';

/** What every ratio is relative to: the least that node:http can do. */
const server = createServer((_req, res) => {
  res.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Content-Length': BODY.length });
  res.end(BODY);
});

export default (/** @type {string} */ path) => once(server.listen(path), 'listening');
