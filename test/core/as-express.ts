import http from 'node:http';
import { createRequire } from 'node:module';
import { createApp } from '../../src/core/app.ts';
import type { Handler } from '../../src/core/types.ts';
import { listen } from './served.ts';

type Site = http.RequestListener & { set(name: string, value: unknown): unknown; use(handler: unknown): unknown };

const express: () => Site = createRequire(import.meta.url)('express');

/** What this package and what Express 5 answer, by the same handler. */
export async function both(handler: Handler, path = '/', headers: Record<string, string> = {}, settings: object = {}) {
  const answers: object[] = [];
  for (const app of [createApp() as unknown as Site, express()]) {
    for (const [name, value] of Object.entries({ ...settings, 'x-powered-by': false, etag: false }))
      app.set(name, value);
    app.use(handler);
    app.use(
      (
        error: Error & { status?: number; types?: unknown },
        _req: unknown,
        res: http.ServerResponse,
        _next: unknown,
      ) => {
        res.writeHead(error.status ?? 500).end(JSON.stringify([error.types]));
      },
    );
    const response = await fetch((await listen(http.createServer(app))) + path, { headers });
    const sent = Object.fromEntries(response.headers);
    delete sent.date;
    answers.push({ status: response.status, headers: sent, body: await response.text() });
  }
  return answers as [object, object];
}
