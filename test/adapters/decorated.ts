import { once } from 'node:events';
import http from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { build, PROJECT } from '../servers/build.ts';
import { Program, temporaryFolder } from '../servers/program.ts';
import { Client, type TestParams } from './fastcgi/client.ts';

/** A program that serves test/adapters/cgi-scripts.js, decorated, over FastCGI and over HTTP. */
export class Decorated {
  readonly program: Program;
  readonly socket: string;
  /** Where it serves over HTTP. */
  port = 0;
  readonly #clients: Client[] = [];

  /** @param code What it does before. */
  static async start(code = '', env: NodeJS.ProcessEnv = {}): Promise<Decorated> {
    build();
    const decorated = new Decorated(code, env);
    const { program } = decorated;
    const ended = once(program.child, 'exit').then(() => {
      throw new Error(`the program ended:\n${program.output}`);
    });
    while (!program.output.includes('ready')) await Promise.race([once(program.child.stdout!, 'data'), ended]);
    ended.catch(() => {});
    decorated.port = Number(/ready (\d+)/.exec(program.output)![1]);
    return decorated;
  }

  private constructor(code: string, env: NodeJS.ProcessEnv) {
    const folder = temporaryFolder();
    this.socket = join(folder, 'fcgi.sock');
    const program = `
      import { once } from 'node:events';
      import { run } from './test/adapters/cgi-scripts.js';
      import { fastcgi } from 'fcgi';
      ${code}
      const servers = [
        fastcgi({ fastcgi: process.env.SOCKET, maxRequestsPerConnection: 1000 }, run),
        fastcgi({ http: 0 }, run),
      ];
      await Promise.all(servers.map((server) => once(server, 'listening')));
      console.log('ready', servers[1].address().port);`;
    this.program = new Program(process.execPath, ['--input-type=module', '--eval', program], folder, {
      cwd: PROJECT,
      env: { ...process.env, ...env, SOCKET: this.socket },
    });
  }

  async dial(): Promise<Client> {
    const socket = connect(this.socket);
    const client = new Client(socket, once(socket, 'close'));
    this.#clients.push(client);
    await once(socket, 'connect');
    return client;
  }

  /** The answer of one script. */
  async get(uri: string, params: Record<string, string> = {}, body?: string | Buffer) {
    const client = await this.dial();
    const answer = await client.get({ params: paramsOf(uri, params), body });
    client.destroy();
    return answer;
  }

  /** The same over HTTP, as `200 body`. */
  async ask(path: string, headers: http.OutgoingHttpHeaders = {}, body?: string | Buffer): Promise<string> {
    const method = body === undefined ? 'GET' : 'POST';
    const asked = http.request({ host: '127.0.0.1', port: this.port, path, method, headers, agent: false });
    asked.end(body);
    const [answer] = await once(asked, 'response');
    return `${answer.statusCode} ${await text(answer)}`;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    await this.program.stop();
  }
}

/** The CGI parameters of a request for a script. */
export function paramsOf(uri: string, params: Record<string, string> = {}): TestParams {
  const [, query = ''] = uri.split('?');
  return { REQUEST_URI: uri, QUERY_STRING: query, ...params };
}
