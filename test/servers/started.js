#!/usr/bin/env node
// @ts-check
/**
 * One program, for everything that can start it. What its processes do they write into a diary beside it, for it is not
 * told by everything that starts them.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { createApp, serve } from 'fcgi';

const diary = new URL('diary', import.meta.url);
/** @param {string} what */
const note = (what) => appendFileSync(diary, `${process.pid} ${what}\n`);
note('begins');
process.on('exit', (code) => note(`ends with ${code}`));

const app = createApp();
app.get('/hello', (_req, res) => res.send('Hello World'));
app.post('/mirror', async (req, res) => res.send(await text(req)));
app.get('/env', (req, res) => res.send({ ...req.env, url: req.url, authorization: req.headers.authorization }));
app.get('/log', (_req, res) => {
  console.log('printed');
  res.stderr.write('to the log\n');
  res.send('logged');
});
app.post('/refuse', (_req, res) => res.status(413).send('too large'));
app.post('/pipe', (req, res) => req.pipe(res));
app.get('/endless', (_req, res) => {
  const ticking = setInterval(() => res.write('tick'), 20);
  res.on('close', () => clearInterval(ticking));
});

// Answers when so many of it are under way, in whatever processes.
app.get('/together/:count', async (req, res) => {
  note('together');
  const count = () => readFileSync(diary, 'utf8').match(/together$/gm)?.length ?? 0;
  while (count() < Number(req.params.count)) await sleep(10);
  res.send(`${process.pid}`);
});

await serve(app);
note('serves');
