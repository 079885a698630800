import { afterEach, describe, expect, it } from 'vitest';
import { type Application, createApp, type ErrorHandler } from '../../../src/index.ts';
import { pages } from '../../../src/middleware/index.ts';
import { Door } from '../../adapters/fastcgi/client.ts';
import { type Ask, DOORS } from '../doors.ts';
import { makeSite } from './site.ts';

const door = new Door();
afterEach(() => door.close());

/** What a page waits for some turns with: others write meanwhile. */
const WAIT = '<? const wait = async (turns) => { while (turns-- > 0) await new Promise(setImmediate) } ?>';

const MUCH = "print('x'.repeat(10_000))";

describe.each(DOORS)('the run of a page over %s', (_name, open) => {
  function site(files: Record<string, string>, finish: (app: Application) => void = () => {}): Promise<Ask> {
    const app = createApp({ env: 'test' });
    app.use(pages(makeSite(files), { revalidate: 0 }));
    finish(app);
    return open(app, door);
  }

  describe('what it has written when it fails', () => {
    it('is not sent before a 500 page that has to be compiled', async () => {
      const ask = await site({ 'index.jhtml': `<? ${MUCH}; throw new Error('no') ?>`, '500.jhtml': 'sorry' });
      const { status, text } = await ask('/');
      expect([status, text]).toEqual([500, 'sorry']);
    });

    it('is not sent before what an error handler sends in its own time', async () => {
      const ask = await site({ 'index.jhtml': `<? ${MUCH}; throw new Error('no') ?>` }, (app) => {
        const handler: ErrorHandler = async (_error, _req, res, _next) => {
          for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate);
          res.status(503).send('sorry');
        };
        app.use(handler);
      });
      const { status, text } = await ask('/');
      expect([status, text]).toEqual([503, 'sorry']);
    });

    it('is not sent where an include goes on writing', async () => {
      const ask = await site({
        'index.jhtml': "<? await Promise.all([include('_slow.jhtml'), include('_bad.jhtml')]) ?>",
        '_slow.jhtml': `${WAIT}<? await wait(5); for (let i = 0; i < 20; i++) { ${MUCH}; await wait(1) } ?>`,
        '_bad.jhtml': `${WAIT}<? await wait(2); throw new Error('no') ?>`,
        '500.jhtml': `${WAIT}<? await wait(30) ?>sorry`,
      });
      // So that nothing has to be compiled any more.
      await ask('/');
      const { status, text } = await ask('/');
      expect([status, text]).toEqual([500, 'sorry']);
    });
  });

  it('sends nothing of its own where the page has answered with a file', async () => {
    const ask = await site({
      'index.jhtml': `${WAIT}<? ${MUCH}; res.sendFile(import.meta.dirname + '/plain.txt'); await wait(1) ?>`,
      'plain.txt': 'plain',
    });
    const { status, text } = await ask('/');
    expect([status, text]).toEqual([200, 'plain']);
  });

  describe('a tag', () => {
    it('writes what a function writes before what it returns', async () => {
      const card = "<? async function card(x) { ?><b><? await null ?><?= x ?></b><? return '!' } ?>";
      const ask = await site({ 'index.jhtml': `${card}a<?= card('<') ?>b<?- card(2), 3 ?>c` });
      expect((await ask('/')).text).toBe('a<b>&lt;</b>!b<b>2</b>!3c');
    });

    it('takes an include that is not compiled yet', async () => {
      const ask = await site({ 'index.jhtml': "a<?= include('_x.jhtml') ?>c", '_x.jhtml': 'b' });
      expect((await ask('/')).text).toBe('abc');
    });

    it('takes the page that it is around', async () => {
      const ask = await site({ '_page.jhtml': '<i><?= page() ?></i>', 'index.jhtml': `${WAIT}<? await wait(1) ?>b` });
      expect((await ask('/')).text).toBe('<i>b</i>');
    });

    it('comes behind what was written before and is waited for', async () => {
      const ask = await site({
        'index.jhtml': `${WAIT}<? echo(wait(2).then(() => 'a')) ?><?= wait(1).then(() => 'b') ?>c`,
      });
      expect((await ask('/')).text).toBe('abc');
    });
  });

  describe('a wrapper that does not wait for its page', () => {
    it('gets all of it', async () => {
      const ask = await site({ '_page.jhtml': '<? page() ?>', 'index.jhtml': `${WAIT}<? await wait(5) ?>late` });
      expect((await ask('/')).text).toBe('late');
    });

    it('fails with it', async () => {
      const ask = await site({
        '_page.jhtml': '<? page() ?>',
        'index.jhtml': `${WAIT}<? await wait(5); throw new Error() ?>`,
      });
      expect((await ask('/')).status).toBe(500);
    });
  });

  describe('exit', () => {
    it('keeps what was to be written before', async () => {
      const ask = await site({ 'index.jhtml': `${WAIT}<? echo(wait(3).then(() => 'good')); exit('bye') ?>` });
      expect((await ask('/')).text).toBe('goodbye');
    });

    it.each(["include('missing.jhtml'); exit()", "exit(include('_bad.jhtml'))"])('hides no error: %s', async (code) => {
      const ask = await site({ 'index.jhtml': `<? ${code} ?>`, '_bad.jhtml': '<? await null; throw new Error() ?>' });
      expect((await ask('/')).status).toBe(500);
    });

    it('in an include that nobody waits for ends no other', async () => {
      const ask = await site({
        'index.jhtml': "<? include('_exits.jhtml'); include('_slow.jhtml') ?>",
        '_exits.jhtml': '<? exit() ?>',
        '_slow.jhtml': `${WAIT}<? await wait(5) ?>slow`,
      });
      expect((await ask('/')).text).toBe('slow');
    });
  });

  it('fails where its answer cannot begin, while it waits', async () => {
    const ask = await site({ 'index.jhtml': `${WAIT}<? res.statusCode = 42; ${MUCH}; await wait(3) ?>` });
    expect((await ask('/')).status).toBe(500);
  });
});
