import { describe, expect, it } from 'vitest';
import { createApp } from '../../../src/index.ts';
import { Background } from '../../../src/middleware/pages/background.ts';
import { ConstantText } from '../../../src/middleware/pages/constant-text.ts';
import { Output } from '../../../src/middleware/pages/output.ts';
import { served } from '../../core/served.ts';

/** What arrives of an answer that is written through an Output, chunk by chunk of what the client reads. */
async function answer(write: (output: Output) => unknown, size = 8192, headers = {}): Promise<Response> {
  const app = createApp({ env: 'test' });
  app.use(async (_req, res) => {
    const background = new Background();
    const output = new Output(res, size, background);
    await write(output);
    await background.end();
    output.end();
  });
  return fetch(await served(app), { headers });
}

const bodyOf = async (write: (output: Output) => unknown, size?: number) => (await answer(write, size)).text();

describe('Output', () => {
  it('escapes what echo gets, and not what print gets', async () => {
    expect(
      await bodyOf((out) => {
        out.echo('<a>');
        out.print('<b>');
        out.text(new ConstantText('<c>'));
      }),
    ).toBe('&lt;a&gt;<b><c>');
  });

  it.each([
    [undefined, ''],
    [null, ''],
    [false, ''],
    [true, 'true'],
    [0, '0'],
    ['', ''],
    [[1, 2], '1,2'],
    [{ toString: () => '<x>' }, '&lt;x&gt;'],
    [10n, '10'],
    [Promise.resolve('later'), 'later'],
    [Promise.resolve(undefined), ''],
    // biome-ignore lint/suspicious/noThenProperty: not every thenable is a Promise
    [{ then: (resolve: (value: string) => void) => resolve('<then>') }, '&lt;then&gt;'],
  ])('writes %o as %j', async (value, written) => {
    expect(await bodyOf((out) => out.echo(value))).toBe(written);
  });

  it('writes several values in their order', async () => {
    expect(await bodyOf((out) => out.echo('a', Promise.resolve('b'), 'c', undefined, 'd'))).toBe('abcd');
  });

  it('escapes all of a template, and makes of its values what JavaScript makes of them', async () => {
    const write = (out: Output) => {
      for (const value of ['<', 1, null, undefined, false, { toString: () => '"é"' }]) out.template`<a b=${value}>é`;
    };
    const escaped = ['&lt;', '1', 'null', 'undefined', 'false', '&quot;é&quot;'].map(
      (value) => `&lt;a b=${value}&gt;é`,
    );
    expect(await bodyOf(write)).toBe(escaped.join(''));
  });

  it('writes nothing of a template with a value that is no text', async () => {
    const write = (out: Output) => expect(() => out.template`a${1}${Symbol('b')}`).toThrow(TypeError);
    expect(await bodyOf(write)).toBe('');
  });

  it('keeps the order of what nobody waits for', async () => {
    expect(
      await bodyOf((out) => {
        void out.echo(new Promise((resolve) => setImmediate(resolve, 'slow')));
        void out.text(new ConstantText(' text '));
        void out.echo(Promise.resolve('quick'));
        void out.template` <${1}> `;
        void out.print('end');
      }),
    ).toBe('slow text quick &lt;1&gt; end');
  });

  it('rejects at its end with what a promise that nobody waited for rejects with', async () => {
    const response = await answer((out) => {
      void out.echo(Promise.reject(new Error('late')));
    });
    expect(response.status).toBe(500);
    expect(await response.text()).toContain('late');
  });

  it('leaves what a promise rejects with to whoever waits for it', async () => {
    expect(
      await bodyOf(async (out) => {
        await out.echo(Promise.reject(new Error('late')))?.catch((error) => out.print(error.message));
        out.print(' and more');
      }),
    ).toBe('late and more');
  });

  it('gives a short answer its length, and says that it is HTML', async () => {
    const { headers } = await answer((out) => out.print('short'));
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-length': '5',
      'content-type': 'text/html; charset=utf-8',
    });
    expect(headers.has('etag')).toBe(false);
  });

  it('sends what is complete within a turn in one piece', async () => {
    const { headers } = await answer((out) => out.print('x'.repeat(20_000)));
    expect(headers.get('content-length')).toBe('20000');
  });

  it('sends what is too much while the page waits for something', async () => {
    let arrive = () => {};
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    const response = await answer(async (out) => {
      out.print('x'.repeat(10_000));
      await arrived;
      out.print('y');
    });
    arrive();
    expect(response.headers.get('content-length')).toBe(null);
    expect(await response.text()).toBe(`${'x'.repeat(10_000)}y`);
  });

  it('waits for a client that is slow, in its own time', async () => {
    const held: number[] = [];
    const response = await answer(async (out) => {
      for (let i = 0; i < 200; i++) {
        const wait = out.print('x'.repeat(100_000));
        if (wait !== undefined) held.push(i);
        await wait;
      }
    });
    expect((await response.text()).length).toBe(20_000_000);
    expect(held.length).toBeGreaterThan(0);
  });

  it('holds back what comes after obStart, until it is taken or let go', async () => {
    let taken: string | undefined;
    const body = await bodyOf(async (out) => {
      out.print('a');
      out.obStart();
      out.print('é'.repeat(20_000));
      await out.flush();
      out.obStart();
      out.print('inner');
      expect(out.obContents()).toBe('inner');
      expect(out.obEnd(false)).toBe(true);
      taken = out.obContents();
      expect(out.obEnd(true)).toBe(true);
      expect(out.obEnd(true)).toBe(false);
      expect(out.obContents()).toBe(undefined);
      out.print('b');
    }, 10);
    expect(taken).toBe(`${'é'.repeat(20_000)}inner`);
    expect(body).toBe('ab');
  });

  it('lets go at its end what is still held back', async () => {
    expect(
      await bodyOf((out) => {
        out.obStart();
        out.print('a');
        out.obStart();
        out.print('b');
      }),
    ).toBe('ab');
  });

  it('drops what is written after its end, and has nothing of what others have written', async () => {
    const late: unknown[] = [];
    await bodyOf((out) => {
      out.print('a');
      out.obStart();
      out.print('b'.repeat(50));
      out.obStart();
      late.push(out);
    });
    expect(await bodyOf((out) => out.print('secret'.repeat(20)))).toBe('secret'.repeat(20));
    const [out] = late as [Output];
    out.obEnd(true);
    out.print('!');
    expect(out.obContents()).toBe(undefined);
    out.print('x'.repeat(100_000));
    await out.flush();
    out.obStart();
    out.print('!');
    expect(out.obContents()).toBe('');
    expect(out.length).toBe(0);
  });

  it('sends no body to HEAD', async () => {
    const app = createApp({ env: 'test' });
    app.use(async (_req, res) => {
      const output = new Output(res, 10, new Background());
      output.print('x'.repeat(100_000));
      output.end();
    });
    const response = await fetch(await served(app), { method: 'HEAD' });
    expect(await response.text()).toBe('');
  });
});
