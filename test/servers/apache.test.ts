import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it, onTestFinished } from 'vitest';
import { type Address, formatAddress } from '../../src/adapters/address.ts';
import { createApp, createServer, type FcgiServer } from '../../src/index.ts';
import { pages } from '../../src/middleware/index.ts';
import { writePage } from '../middleware/pages/site.ts';
import { startApache } from './apache.ts';
import { exchange } from './client.ts';
import { describeWith, freePort, temporaryFolder } from './program.ts';

const folder = temporaryFolder();
chmodSync(folder, 0o711);
afterAll(() => rmSync(folder, { recursive: true }));
const socket = { path: join(folder, 'fcgi.sock') };

/** An app that answers with the variables of its request. */
async function startApp(address: Address): Promise<FcgiServer> {
  const app = createApp();
  app.use((req, res) => res.send(req.env));
  const server = createServer(app).listen(formatAddress(address), { mode: 0o666 });
  await once(server, 'listening');
  return server;
}

async function stop(app: FcgiServer): Promise<void> {
  app.close();
  await once(app, 'close');
}

describeWith('apache', 'Apache', () => {
  it('tells who logged in to it, and as which file a path is known to it', async () => {
    const { port, program } = await startApache(socket, {
      modules: ['auth_basic', 'authn_core', 'authn_file', 'authz_user'],
      directives: `
<Location /private>
  AuthType Basic
  AuthName private
  AuthUserFile ${folder}/users
  Require valid-user
</Location>`,
    });
    onTestFinished(async () => void (await program.stop()));
    writeFileSync(join(folder, 'users'), `anna:{SHA}${createHash('sha1').update('secret').digest('base64')}\n`);
    const app = await startApp(socket);
    onTestFinished(() => stop(app));

    const path = '/private/a%20page?b=c';
    expect(await exchange(port, { path })).toMatchObject({ status: 401 });
    const Authorization = `Basic ${Buffer.from('anna:secret').toString('base64')}`;
    const { body } = await exchange(port, { path, headers: [['Authorization', Authorization]] });
    expect(JSON.parse(body)).toMatchObject({
      REMOTE_USER: 'anna',
      AUTH_TYPE: 'Basic',
      HTTP_AUTHORIZATION: Authorization,
      SCRIPT_FILENAME: `${program.folder}/private/a page`,
    });
  });

  it('names pages by ProxyPassMatch as well', async () => {
    const site = join(folder, 'site');
    for (const name of ['a b.jhtml', '100%.jhtml', 'a%20b.jhtml']) {
      writePage(site, name, '<?= $_SERVER.SCRIPT_NAME + ($_SERVER.PATH_INFO ?? "") ?>');
    }
    const match = `ProxyPassMatch "^(/.*\\.jhtml(/.*)?)$" "unix:${socket.path}|fcgi://app${site}$1"`;
    const edit = (config: string) => config.replace(/<If .*<\/If>/s, '').replace('</VirtualHost>', `${match}\n$&`);
    const { port, program } = await startApache(socket, { pages: site, edit });
    onTestFinished(async () => void (await program.stop()));
    const app = createServer(createApp().use(pages(site))).listen(socket.path, { mode: 0o666 });
    await once(app, 'listening');
    onTestFinished(() => stop(app));

    for (const path of ['/a b.jhtml', '/100%.jhtml', '/a%20b.jhtml', '/a b.jhtml/c%20d']) {
      const asked = path.split('/').map(encodeURIComponent).join('/');
      expect(await exchange(port, { path: asked }), path).toMatchObject({ status: 200, body: path });
    }
  });

  it.each(['unix', 'TCP'])('answers 503 only while the app is away, over %s', async (over) => {
    const address = over === 'unix' ? socket : { host: '127.0.0.1', port: await freePort() };
    const { port, program } = await startApache(address);
    onTestFinished(async () => void (await program.stop()));
    const status = async () => (await exchange(port, { path: '/' })).status;

    const app = await startApp(address);
    expect(await status()).toBe(200);
    await stop(app);
    expect(await status()).toBe(503);
    const again = await startApp(address);
    onTestFinished(() => stop(again));
    expect(await status()).toBe(200);
  });
});
