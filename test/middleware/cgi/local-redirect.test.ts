import { afterEach, describe, expect, it } from 'vitest';
import { createApp } from '../../../src/core/app.ts';
import { Door } from '../../adapters/fastcgi/client.ts';
import { cgiApp, DOORS, type TestRequest } from '../doors.ts';
import { EXAMPLES, folderOf, sh } from '../programs.ts';

const door = new Door();
afterEach(() => door.close());

/** A program that redirects to a path, once it has read its body. */
const redirect = (path: string) => sh('cat >/dev/null', `echo "Location: ${path}"`, 'echo');

describe.each(DOORS)('a local redirect over %s', (_, open) => {
  async function serve(files: Record<string, string> | string) {
    const { app, errors } = cgiApp(typeof files === 'string' ? files : folderOf(files));
    const send = await open(app, door);
    return { app, errors, ask: (path: string, request?: TestRequest) => send(`/cgi-bin${path}`, request) };
  }

  it('is answered by another program', async () => {
    const { ask } = await serve(EXAMPLES);
    expect(await ask('/old-name.sh')).toMatchObject({ status: 200, text: '<p>Hello friend</p>\n' });
  });

  it('is answered by any route, which sees a GET for that path without a body', async () => {
    const { app, ask } = await serve({ 'a.sh': redirect('/route?a=b') });
    app.get('/route', (req, res) => {
      res.json([req.originalUrl, req.url, req.baseUrl, req.query, req.get('content-length'), req.get('content-type')]);
    });
    const headers = { 'Content-Type': 'text/plain' };
    const answer = await ask('/a.sh', { method: 'POST', headers, body: 'body' });
    expect(JSON.parse(answer.text)).toEqual(['/route?a=b', '/route?a=b', '', { a: 'b' }, null, null]);
  });

  it('is in the variables, too', async () => {
    const { app, ask } = await serve({ 'a.sh': redirect('/env/a%20b?c=d') });
    app.get('/env/:a', (req, res) => res.json(req.env));
    const env = JSON.parse((await ask('/a.sh/x?y', { method: 'POST', body: 'body' })).text);
    expect(env).toMatchObject({
      REQUEST_METHOD: 'GET',
      REQUEST_URI: '/env/a%20b?c=d',
      QUERY_STRING: 'c=d',
      SCRIPT_NAME: '',
      PATH_INFO: '/env/a b',
    });
    expect(env).not.toHaveProperty('CONTENT_LENGTH');
  });

  it('has what a URL cannot hold encoded, and the rest as it was', async () => {
    const { app, ask } = await serve({ 'a.sh': redirect('/ä b%20c?d=e f') });
    app.use((req, res) => res.send(req.url));
    expect((await ask('/a.sh')).text).toBe('/%C3%A4%20b%20c?d=e%20f');
  });

  it('stays HEAD for a client that wants no body', async () => {
    const { app, ask } = await serve({ 'a.sh': redirect('/route') });
    app.all('/route', (req, res) => res.set('X-Method', req.method!).send('body'));
    expect(await ask('/a.sh', { method: 'HEAD' })).toMatchObject({ headers: { 'x-method': 'HEAD' }, text: '' });
  });

  it('reaches the outermost application from within one that is mounted', async () => {
    const inner = cgiApp(folderOf({ 'a.sh': redirect('/route') })).app;
    const app = createApp();
    app.use('/inner', inner);
    app.get('/route', (req, res) => res.send(`outer ${req.url} ${req.baseUrl} ${req.app === app}`));
    const ask = await open(app, door);
    expect((await ask('/inner/cgi-bin/a.sh')).text).toBe('outer /route  true');
  });

  it('is 404 where there is no such path', async () => {
    const { ask } = await serve({ 'a.sh': redirect('/none') });
    expect((await ask('/a.sh')).status).toBe(404);
  });

  it('is followed ten times, and no more', async () => {
    const { ask, errors } = await serve({
      'count.sh': sh(
        'n="$QUERY_STRING"',
        'if [ $n = 10 ]; then echo Status: 201; else echo "Location: $SCRIPT_NAME?$((n + 1))"; fi',
        'echo',
      ),
      'endless.sh': sh('echo "Location: $SCRIPT_NAME"', 'echo'),
    });
    expect((await ask('/count.sh?0')).status).toBe(201);
    expect(await ask('/endless.sh')).toMatchObject({ status: 500, text: 'FCGI_ERR_CGI_OUTPUT' });
    expect(errors).toMatchObject([{ message: expect.stringContaining('10 local redirects') }]);
  });
});
