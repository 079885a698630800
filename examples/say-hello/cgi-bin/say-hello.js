#!/usr/bin/env node
// Plain CGI: a process for each request. It needs nothing but Node.
import fs from 'node:fs';

const name = Number(process.env.CONTENT_LENGTH) > 0 ? fs.readFileSync(0, 'utf8') : '';
process.stdout.write(`Content-Type: text/plain\r\n\r\nHello ${name}\r\n`);
