import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Duplex, PassThrough } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { READ, read } from '../../../src/adapters/fastcgi/read.ts';

const servers: ReturnType<typeof createServer>[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A client's end of a connection, and the accepted one. */
async function pair(): Promise<[Socket, Socket]> {
  const server = createServer().listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  const client = connect((server.address() as { port: number }).port, '127.0.0.1');
  const [accepted] = await once(server, 'connection');
  return [client, accepted];
}

/** What comes, as text, and whether it lay in the shared buffer. */
function reading(socket: Socket) {
  const seen = { text: '', shared: true, resolve: () => {} };
  read(socket, (chunk) => {
    seen.text += chunk.toString('latin1');
    seen.shared &&= chunk.buffer === READ.buffer;
    seen.resolve();
  });
  const until = async (length: number) => {
    while (seen.text.length < length) await new Promise<void>((resolve) => (seen.resolve = resolve));
  };
  return { seen, until };
}

describe('what comes on a socket', () => {
  it('is read into one buffer, on every version of Node', async () => {
    const [[one, first], [two, second]] = [await pair(), await pair()];
    const [a, b] = [reading(first), reading(second)];
    one.write('one');
    two.write('two');
    await Promise.all([a.until(3), b.until(3)]);
    expect([a.seen, b.seen]).toMatchObject([
      { text: 'one', shared: true },
      { text: 'two', shared: true },
    ]);
    one.destroy();
    two.destroy();
  });

  it('comes whole and in its order, and then the end', async () => {
    const [client, accepted] = await pair();
    const { seen } = reading(accepted);
    const text = Array.from({ length: 200_000 }, (_, i) => String(i)).join();
    client.end(text);
    await once(accepted, 'end');
    expect(seen.text === text).toBe(true);
    expect(accepted.bytesRead).toBe(text.length);
    accepted.destroy();
  });

  it('waits while the socket is paused', async () => {
    const [client, accepted] = await pair();
    const { seen, until } = reading(accepted);
    accepted.pause();
    client.write('later');
    await new Promise<void>((resolve) => client.write('!', () => resolve()));
    expect(seen.text).toBe('');
    accepted.resume();
    await until(6);
    expect(seen.text).toBe('later!');
    client.destroy();
  });

  it('has before it what somebody has put back', async () => {
    const [client, accepted] = await pair();
    accepted.unshift('first ');
    const { seen, until } = reading(accepted);
    client.write('second');
    await until(12);
    expect(seen.text).toBe('first second');
    client.destroy();
  });

  it('comes as well where it is no plain socket', async () => {
    const other = new PassThrough();
    const { seen, until } = reading(Duplex.from(other) as unknown as Socket);
    other.write('chunk');
    await until(5);
    expect(seen).toMatchObject({ text: 'chunk', shared: false });
  });

  it('gives the error with which the connection breaks', async () => {
    const [client, accepted] = await pair();
    reading(accepted);
    client.resetAndDestroy();
    const [error] = await once(accepted, 'error');
    expect(error.code).toBe('ECONNRESET');
  });
});
