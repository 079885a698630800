import { AsyncLocalStorage } from 'node:async_hooks';
import diagnostics from 'node:diagnostics_channel';
import http from 'node:http';
import { type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { onTestFinished } from 'vitest';
import { BESIDE } from './fastcgi-visitor.ts';
import { same } from './row.ts';

same(
  'AsyncLocalStorage.run around a listener',
  { length: 6 },
  (req, res, { note }) => {
    const storage = new AsyncLocalStorage<string>();
    storage.run('mine', () => {
      note(storage.getStore());
      setImmediate(() => note('a turn later', storage.getStore()));
      res.write('x', () => note('write', storage.getStore()));
      void new Promise((resolve) => req.once('data', resolve)).then(() => {
        note('a promise', storage.getStore());
        note('read');
        req.resume().on(
          'end',
          AsyncLocalStorage.bind(() => {
            note('bound', storage.getStore());
            res.end();
          }),
        );
      });
    });
    note(storage.getStore());
  },
  async (visitor, { noted }, ask) => {
    visitor.ask(ask).write('abc');
    await noted('read');
    return visitor.write('def').answer();
  },
);

same(
  "diagnostics_channel 'http.server.request.start', 'http.server.response.finish'",
  {},
  (_req, res) => {
    res.end('x');
  },
  async (visitor, { note, server, noted }) => {
    for (const name of ['http.server.request.start', 'http.server.response.created', 'http.server.response.finish']) {
      const hear = (message: unknown) => {
        const { request, response, socket, server: its } = message as Record<string, unknown>;
        if ((request as http.IncomingMessage).url === BESIDE) return;
        note(name, request instanceof http.IncomingMessage, response instanceof http.ServerResponse);
        note(
          socket === undefined || socket === (request as http.IncomingMessage).socket,
          its === undefined || its === server,
        );
      };
      diagnostics.subscribe(name, hear);
      onTestFinished(() => {
        diagnostics.unsubscribe(name, hear);
      });
    }
    const answer = await visitor.ask().answer();
    await noted(['http.server.response.finish', true, true]);
    return answer;
  },
);

interface Entry extends PerformanceEntry {
  detail: { req: { method: string; url: string }; res: { statusCode: number } };
}

same(
  "PerformanceObserver of 'http'",
  {},
  (_req, res) => {
    res.end('x');
  },
  async (visitor, { note, noted }) => {
    const observer = new PerformanceObserver((list) => {
      for (const { name, entryType, detail } of list.getEntries() as Entry[]) {
        const { req, res } = detail;
        note(name, entryType, req.method, req.url, res.statusCode);
      }
    });
    observer.observe({ entryTypes: ['http'] });
    onTestFinished(() => observer.disconnect());
    const answer = await visitor.ask({ url: '/observed' }).answer();
    await noted(['HttpRequest', 'http', 'GET', '/observed', 200]);
    observer.disconnect();
    return answer;
  },
);
