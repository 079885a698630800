// A CGI script, made a FastCGI server by the function around it. `node server.js` listens on ./fcgi.sock.
import fs from 'node:fs';
import { fastcgi } from 'fcgi';

fastcgi(() => {
  const query = process.env.QUERY_STRING;
  const content = fs.readFileSync(0, 'utf8');
  process.stdout.write(`Content-type: text/html\r\n\r\n<html>${content} ; `);
  process.stdout.write(`${query}</html>\r\n`);
});
