import { describe, expect, test } from 'vitest';
import { Spawned, type SpawnedOptions } from './spawned.ts';

const GET = { GATEWAY_INTERFACE: 'CGI/1.1', REQUEST_METHOD: 'GET', REQUEST_URI: '/', SERVER_PROTOCOL: 'HTTP/1.1' };
const POST = { ...GET, REQUEST_METHOD: 'POST' };

/** Runs a program that a web server would start for one request. */
function start(code: string, env: Record<string, string> = GET, options: SpawnedOptions = {}): Spawned {
  return new Spawned(`import { createApp, serve } from 'fcgi';\n${code}`, { ...options, env });
}

/** What is behind the head. */
const bodyOf = (output: string) => output.slice(output.indexOf('\r\n\r\n') + 4);

describe('a CGI program', () => {
  test('answers from its environment and ends with status 0, although a server and a timer are open', async () => {
    const program = start(`
      import { createServer } from 'node:http';
      createServer().listen(0);
      setInterval(() => {}, 1000);
      await serve((req, res) => res.end('hello ' + req.url));`);
    expect(await program.ended).toBe(0);
    expect(bodyOf(program.stdout)).toBe('hello /');
  });

  test("ends with the application's own exit code, if it has set one", async () => {
    const program = start(`await serve((req, res) => res.end('answer')); process.exitCode = 3;`);
    expect(await program.ended).toBe(3);
  });

  test('reads no more of stdin than the body, although stdin stays open', async () => {
    const program = start(
      `await serve(async (req, res) => { for await (const chunk of req) res.write(chunk); res.end(); });`,
      { ...POST, CONTENT_LENGTH: '3' },
    );
    program.child.stdin!.write('one, two');
    expect(await program.ended).toBe(0);
    expect(bodyOf(program.stdout)).toBe('one');
  });

  test('ends with status 1 after an answer that broke off', async () => {
    const program = start(`await serve((req, res) => res.write('half', () => res.destroy()));`);
    expect(await program.ended).toBe(1);
    expect(bodyOf(program.stdout)).toBe('half');
  });

  test('ends with status 1 where nothing is left that could answer', async () => {
    const program = start(`await serve((req, res) => res.write('half'));`);
    expect(await program.ended).toBe(1);
    expect(bodyOf(program.stdout)).toBe('half');
  });

  test('ends when the web server closes stdout, and does not fail with EPIPE', async () => {
    const program = start(`
      await serve((req, res) => {
        const ticking = setInterval(() => res.write('tick'), 5);
        res.on('close', () => { clearInterval(ticking); console.log('closed'); });
      });`);
    await program.prints(/tick/);
    program.child.stdout!.destroy();
    expect(await program.ended).toBe(1);
    expect(program.stderr).toBe('closed\n');
  });

  test('goes on when the web server closes stderr', async () => {
    const program = start(
      `await serve((req, res) => {
        process.stdin.on('data', () => { res.stderr.write('nobody reads it'); res.end('answer'); });
        res.write('first');
      });`,
    );
    await program.prints(/first/);
    program.child.stderr!.destroy();
    program.child.stdin!.write('go');
    expect(await program.ended).toBe(0);
    expect(bodyOf(program.stdout)).toBe('firstanswer');
  });

  test('sends a large answer to a web server that takes its time', async () => {
    const bytes = 8 << 20;
    const program = start(`
      await serve((req, res) => {
        res.end(Buffer.alloc(${bytes}, 'large'));
        console.log('all is said');
      });`);
    program.child.stdout!.pause();
    await program.prints(/all is said/);
    program.child.stdout!.resume();
    expect(await program.ended).toBe(0);
    expect(bodyOf(program.stdout)).toHaveLength(bytes);
  });

  test("leads to the log what the program prints, since it would be in the answer's midst", async () => {
    const program = start(`
      const { stdout } = process; // As a logger keeps it.
      await serve((req, res) => {
        console.log('by console');
        stdout.write('by stdout\\n');
        res.on('finish', () => console.info('after the answer'));
        res.end('answer');
      });
      console.log('served');`);
    expect(await program.ended).toBe(0);
    expect(program.stdout).toMatch(/^Status: 200 OK\r\n.*\r\n\r\nanswer$/s);
    expect(program.stderr).toBe('served\nby console\nby stdout\nafter the answer\n');
  });

  test('gets what its environment has that is no UTF-8, and not what the program has added', async () => {
    const program = start(
      `process.env.SECRET = 'added';
      await serve(createApp().use((req, res) => res.send({ x: req.headers['x-latin'], secret: req.env.SECRET })));`,
      GET,
      { shell: `HTTP_X_LATIN="$(printf 'Gr\\374\\337e')" exec "$@"` },
    );
    expect(await program.ended).toBe(0);
    expect(Buffer.from(bodyOf(program.stdout), 'latin1').toString()).toBe('{"x":"Gr\u00fc\u00dfe"}');
  });

  test('dies of an error that nobody catches, and the log has it', async () => {
    const program = start(`await serve(() => { throw new Error('uncaught'); });`);
    expect(await program.ended).toBe(1);
    expect(program.stdout).toBe('');
    expect(program.stderr).toContain('Error: uncaught');
  });
});
