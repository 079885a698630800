#!/usr/bin/env node
import { text } from 'node:stream/consumers';
import { createServer, MinimalHttpHandler } from 'fcgi';

class SayHello extends MinimalHttpHandler {
  async handle() {
    const name = await text(this.rfile);
    this.sendResponse(200);
    this.sendHeader('Content-Type', 'text/plain');
    this.endHeaders();
    this.wfile.write(`Hello ${name}\r\n`);
  }
}

createServer(SayHello).listen(Number(process.env.PORT) || 1234, '127.0.0.1');
