import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createHttpServer } from '../../../src/adapters/http.ts';
import { Door } from './client.ts';

const door = new Door();
const servers: http.Server[] = [];

afterEach(async () => {
  await door.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
});

interface Scenario {
  /** What of a body of ten bytes the client sends; without it, a GET. */
  body?: string;
  act?: (req: IncomingMessage, res: ServerResponse, leave: () => void) => void;
}

/** Notes what a request and its response tell, in its order. */
function watch(req: IncomingMessage, res: ServerResponse, events: string[]): void {
  for (const event of ['aborted', 'end', 'close']) req.on(event, () => events.push(`req ${event}`));
  req.on('error', (error) => events.push(`req error ${(error as NodeJS.ErrnoException).code}`));
  for (const event of ['finish', 'close']) res.on(event, () => events.push(`res ${event}`));
  res.on('error', (error) => events.push(`res error ${(error as NodeJS.ErrnoException).code}`));
  (req as IncomingMessage & { signal: AbortSignal }).signal.addEventListener('abort', () => events.push('signal'));
}

function stateOf(req: IncomingMessage, res: ServerResponse): object {
  return {
    req: [req.aborted, req.complete, req.destroyed, req.readableEnded, req.closed],
    res: [res.destroyed, res.closed, res.writableEnded, res.headersSent],
  };
}

type Told = { events: string[]; state: object };

function listen(scenario: Scenario, leave: () => void, told: (told: Told) => void) {
  return (req: IncomingMessage, res: ServerResponse) => {
    const events: string[] = [];
    watch(req, res, events);
    // Whatever else is told follows within some turns of the loop.
    res.on('close', async () => {
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
      told({ events, state: stateOf(req, res) });
    });
    scenario.act?.(req, res, leave);
  };
}

async function overHttp(scenario: Scenario): Promise<Told> {
  const told = await new Promise<Told>((resolve) => {
    const server = createHttpServer({}, listen(scenario, () => client.destroy(), resolve));
    servers.push(server);
    const { body } = scenario;
    let client: ReturnType<typeof connect>;
    server.listen(0, '127.0.0.1', () => {
      client = connect((server.address() as AddressInfo).port, '127.0.0.1');
      client.on('error', () => {});
      client.resume();
      const length = body === undefined ? '' : 'Content-Length: 10\r\n';
      client.write(`${body === undefined ? 'GET' : 'POST'} / HTTP/1.1\r\nHost: x\r\n${length}\r\n${body ?? ''}`);
    });
  });
  return told;
}

async function overFastcgi(scenario: Scenario): Promise<Told> {
  return new Promise<Told>((resolve, reject) => {
    const opened = door.serve(listen(scenario, () => opened.then(({ client }) => client.destroy()), resolve));
    opened.then(({ client }) => {
      const { body } = scenario;
      if (body === undefined) {
        client.request();
        return;
      }
      client.begin().params(1, { REQUEST_METHOD: 'POST', CONTENT_LENGTH: '10' }).stdin(1, body);
      if (body.length === 10) client.stdinEnd();
    }, reject);
  });
}

describe('tells the application what node:http tells it:', () => {
  const leaveSoon = (_req: IncomingMessage, _res: ServerResponse, leave: () => void) => setImmediate(leave);
  const scenarios: Record<string, Scenario> = {
    'a GET that is answered': { act: (_req, res) => res.end('x') },
    'a POST whose body is read, then answered': {
      body: '0123456789',
      act: (req, res) => req.resume().on('end', () => res.end('x')),
    },
    'a POST that is answered without a look at its body': { body: '0123456789', act: (_req, res) => res.end('x') },
    'the client leaves before its body is complete, nobody reading': { body: '012', act: leaveSoon },
    'the client leaves before its body is complete, which is read': {
      body: '012',
      act: (req, _res, leave) => req.on('data', () => setImmediate(leave)),
    },
    'the client leaves after its body, before the answer': {
      body: '0123456789',
      act: (req, _res, leave) => req.resume().on('end', () => setImmediate(leave)),
    },
    'the client of a GET leaves before the answer': { act: leaveSoon },
    'the client of a GET leaves before the answer, its end read': {
      act: (req, _res, leave) => {
        req.resume();
        setImmediate(leave);
      },
    },
    'the client leaves in the middle of the answer': {
      act: (_req, res, leave) => {
        res.write('x');
        setImmediate(leave);
      },
    },
    'the client leaves in the middle of the answer, its end read': {
      act: (req, res, leave) => {
        req.resume();
        res.write('x');
        setImmediate(leave);
      },
    },
    'the response is destroyed before its head': { act: (_req, res) => res.destroy() },
    'the response is destroyed with an error before its head': { act: (_req, res) => res.destroy(new Error('mine')) },
    'the response is destroyed after its head': {
      act: (_req, res) => {
        res.write('x');
        res.destroy();
      },
    },
    'the response is destroyed a turn after its head': {
      act: (_req, res) => {
        res.write('x');
        setImmediate(() => res.destroy());
      },
    },
    'the response is destroyed after its end': {
      act: (_req, res) => {
        res.end('x');
        res.destroy();
      },
    },
    'the request is destroyed, its body complete': { body: '0123456789', act: (req) => req.destroy() },
    'the request is destroyed with an error': { body: '012', act: (req) => req.destroy(new Error('mine')) },
    'the request is destroyed before its body is complete': { body: '012', act: (req) => req.destroy() },
    'the request is destroyed after its end was read': {
      body: '0123456789',
      act: (req) => req.resume().on('end', () => setImmediate(() => req.destroy())),
    },
    'the socket is destroyed': { act: (req) => req.socket.destroy() },
    'the socket is destroyed in the middle of the answer': {
      act: (_req, res) => {
        res.write('x');
        setImmediate(() => res.socket?.destroy());
      },
    },
  };

  for (const [name, scenario] of Object.entries(scenarios)) {
    test(name, async () => {
      const [expected, told] = [await overHttp(scenario), await overFastcgi(scenario)];
      if (process.env.SHOW) console.log(`${name}\n  node ${JSON.stringify(expected)}\n  door ${JSON.stringify(told)}`);
      expect(told).toEqual(expected);
    });
  }
});
