// @ts-check
import { join } from 'node:path';
import { createApp, serve } from 'fcgi';
import { pages } from 'fcgi/middleware';

const app = createApp();
app.use(pages(join(import.meta.dirname, '../pages')));

export default (/** @type {string} */ path) => serve(app, { fastcgi: path });
