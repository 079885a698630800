// @ts-check
import { createApp } from 'fcgi';

/** This package's hello app, the same on both of its doors. */
export const app = createApp();
app.get('/hello', (_req, res) => res.send('Hello World'));
