#!/usr/bin/env node
import { createServer, FcgiHandler } from 'fcgi';

class SayHello extends FcgiHandler {
  handle() {
    this.print(`Content-Type: text/plain\n\nHello ${this.content()}`);
  }
}

createServer(SayHello).listen('./fcgi.sock');
