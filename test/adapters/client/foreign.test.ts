import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import type { ClientOptions } from '../../../src/adapters/client/index.ts';
import { describeWith, Program, temporaryFolder } from '../../servers/program.ts';
import { clientOf, codeOf } from './application.ts';

/** What each of them is to do: say the method, a parameter, the body's length, and write to stderr. */
const C = `
#include <fcgiapp.h>
#include <stdlib.h>
int main(int argc, char **argv) {
  FCGX_Request request;
  FCGX_Init();
  FCGX_InitRequest(&request, FCGX_OpenSocket(argv[1], 10), 0);
  while (FCGX_Accept_r(&request) == 0) {
    char buffer[8192];
    long bytes = 0;
    int got;
    while ((got = FCGX_GetStr(buffer, sizeof buffer, request.in)) > 0) bytes += got;
    FCGX_FPrintF(request.err, "a warning\\n");
    FCGX_FPrintF(request.out, "Status: 201 Made\\r\\nContent-Type: text/plain\\r\\n\\r\\n%s %s %ld",
                 FCGX_GetParam("REQUEST_METHOD", request.envp), FCGX_GetParam("A", request.envp), bytes);
    FCGX_SetExitStatus(3, request.out);
    FCGX_Finish_r(&request);
  }
  return 0;
}`;

const PERL = `
use FCGI;
use IO::Handle;
my $socket = FCGI::OpenSocket($ARGV[0], 10);
my ($in, $out, $err) = (IO::Handle->new, IO::Handle->new, IO::Handle->new);
my $request = FCGI::Request($in, $out, $err, \\my %env, $socket);
while ($request->Accept() >= 0) {
  my ($bytes, $buffer) = (0, '');
  while (my $got = read($in, $buffer, 8192)) { $bytes += $got }
  print $err "a warning\\n";
  print $out "Status: 201 Made\\r\\nContent-Type: text/plain\\r\\n\\r\\n$env{REQUEST_METHOD} $env{A} $bytes";
}`;

const GO = `
package main
import ("fmt"; "io"; "net"; "net/http"; "net/http/fcgi"; "os")
func main() {
  listener, err := net.Listen("unix", os.Args[1])
  if err != nil { panic(err) }
  fcgi.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
    bytes, _ := io.Copy(io.Discard, r.Body)
    w.Header().Set("Content-Type", "text/plain")
    w.WriteHeader(201)
    fmt.Fprintf(w, "%s %s %d", r.Method, fcgi.ProcessEnv(r)["A"], bytes)
  }))
}`;

interface Foreign {
  command: string[];
  folder: string;
}

const foreign = {
  libfcgi(): Foreign {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'app.c'), C);
    execFileSync('cc', ['-o', 'app', 'app.c', '-lfcgi'], { cwd: folder });
    return { command: [join(folder, 'app')], folder };
  },
  'Perl’s FCGI'(): Foreign {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'app.pl'), PERL);
    return { command: ['perl', join(folder, 'app.pl')], folder };
  },
  Go(): Foreign {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'app.go'), GO);
    const env = { ...process.env, GOCACHE: join(folder, 'cache'), GO111MODULE: 'off', GOFLAGS: '' };
    execFileSync('go', ['build', '-o', 'app', 'app.go'], { cwd: folder, env });
    return { command: [join(folder, 'app')], folder };
  },
};

/** Its values, its stderr and its application status. libfcgi waits for the end of a question that has none. */
const CAN = {
  libfcgi: { values: 'FCGI_ERR_CLIENT_TIMEOUT', stderr: 'a warning\n', appStatus: 3 },
  'Perl’s FCGI': { values: 'FCGI_ERR_CLIENT_TIMEOUT', stderr: 'a warning\n', appStatus: 0 },
  Go: { values: { FCGI_MPXS_CONNS: '1' }, stderr: '', appStatus: 0 },
};

for (const name of Object.keys(foreign) as (keyof typeof foreign)[]) {
  describeWith(name, `${name}, of which the client`, () => {
    const can = CAN[name];
    let built: Foreign | undefined;

    async function start(options?: ClientOptions) {
      built ??= foreign[name]();
      const folder = temporaryFolder();
      const path = join(folder, 'app.sock');
      const [command, ...args] = built.command;
      const program = new Program(command, [...args, path], folder);
      onTestFinished(async () => {
        await program.stop();
      });
      await program.accepts(path);
      return clientOf({ path }, options);
    }

    it('asks something, and posts', { timeout: 120_000 }, async () => {
      const client = await start();
      const params = { REQUEST_METHOD: 'POST', REQUEST_URI: '/', SERVER_PROTOCOL: 'HTTP/1.1', A: 'b' };
      const { status, headers, stdout, stderr, appStatus } = await client.request(params, 'hello');
      expect([status, headers['content-type'], await text(stdout)]).toEqual([201, 'text/plain', 'POST b 5']);
      expect([await text(stderr), await appStatus]).toEqual([can.stderr, can.appStatus]);
    });

    it('uploads 20 MB, as a stream', async () => {
      const client = await start();
      const pieces = Array.from({ length: 20 }, () => Buffer.alloc(1024 ** 2));
      const params = { A: 'b' };
      const response = await client.fetch('/', { method: 'PUT', params, body: Readable.from(pieces) });
      expect(await response.text()).toBe(`PUT b ${20 * 1024 ** 2}`);
    });

    it.each<[string, ClientOptions]>([
      ['a connection each', { connections: 4 }],
      ['one kept connection', { keepAlive: true, connections: 1 }],
      ['connections that are multiplexed if it can', { multiplex: true, connections: 1 }],
    ])('sends 500 requests, over %s', async (_, options) => {
      const client = await start(options);
      const answers = await Promise.all(
        Array.from({ length: 500 }, async (_, i) => (await client.fetch('/', { params: { A: i } })).text()),
      );
      expect(answers).toEqual(answers.map((_, i) => `GET ${i} 0`));
    });

    it('asks for its values', async () => {
      const client = await start({ headersTimeout: 1000 });
      expect(await codeOf(client.values())).toEqual(can.values);
      expect(await (await client.fetch('/', { params: { A: 'next' } })).text()).toBe('GET next 0');
    });

    it('gives up a request, and gets the next one answered', async () => {
      const client = await start();
      const controller = new AbortController();
      const pieces = ['half'];
      let onTaken = () => {};
      const taken = new Promise<void>((resolve) => {
        onTaken = resolve;
      });
      const body = new Readable({
        read() {
          if (pieces.length > 0) this.push(pieces.pop());
          else onTaken();
        },
      });
      const params = {
        REQUEST_METHOD: 'POST',
        REQUEST_URI: '/',
        SERVER_PROTOCOL: 'HTTP/1.1',
        A: 'b',
        CONTENT_LENGTH: 10,
      };
      const given = codeOf(client.request(params, body, { signal: controller.signal }));
      await taken;
      controller.abort(Object.assign(new Error(), { code: 'given up' }));
      expect(await given).toBe('given up');
      expect(await (await client.fetch('/', { params: { A: 'next' } })).text()).toBe('GET next 0');
    });
  });
}
