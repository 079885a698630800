import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Program, temporaryFolder } from '../servers/program.ts';
import { require } from './hosts.ts';

/** Whether Debian's redis-server is there; FCGI_TEST_SERVERS=required says that it has to be. */
export const hasRedis =
  process.env.FCGI_TEST_SERVERS === 'required' || spawnSync('redis-server', ['-v']).error === undefined;
if (!hasRedis) console.warn('Left out: connect-redis. redis-server is not installed: apt-get install redis-server');

/** A redis-server of its own on a unix socket, and a client that is connected to it. */
export async function startRedis() {
  const folder = temporaryFolder();
  const path = join(folder, 'redis.sock');
  const args = ['--port', '0', '--unixsocket', path, '--dir', folder, '--save', '', '--appendonly', 'no'];
  const program = new Program('redis-server', args, folder);
  const client = require('redis').createClient({ socket: { path, reconnectStrategy: 20 } });
  // Until it listens.
  client.on('error', () => {});
  await client.connect();
  return {
    client,
    url: `unix://${path}`,
    async stop() {
      await client.close();
      await program.stop();
    },
  };
}
