#!/usr/bin/env node
import { text } from 'node:stream/consumers';
import { fastcgi } from 'fcgi';

fastcgi(async () => {
  const name = await text(process.stdin);
  console.log(`Content-Type: text/plain\n\nHello ${name}`);
  console.log(process.env);
});
