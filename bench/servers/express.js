import { once } from 'node:events';
import { createServer } from 'node:http';
import express from 'express';

const app = express();
app.get('/hello', (_req, res) => {
  res.send('Hello World');
});

export default (/** @type {string} */ path) => once(createServer(app).listen(path), 'listening');
