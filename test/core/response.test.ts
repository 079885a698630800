import { describe, expect, it } from 'vitest';
import type { Response } from '../../src/core/response.ts';
import { both } from './as-express.ts';
import { serve } from './pair.ts';

/** What an answer is like after `act`. */
async function answer(act: (res: Response) => unknown, headers = {}, method = 'GET') {
  const site = await serve(async (_req, res) => {
    await act(res);
    if (!res.writableEnded) res.end();
  });
  return site.ask('/', { headers, method });
}

describe('res.status', () => {
  it('sets the status and is chainable', async () => {
    expect(await answer((res) => res.status(201).send('made'))).toMatchObject({ status: 201, body: 'made' });
  });

  it.each(['200', 200.5, Number.NaN, undefined, null])('throws a TypeError for %j', async (code) => {
    await answer((res) => expect(() => res.status(code as number)).toThrow(TypeError));
  });

  it.each([0, 99, 1000, -200])('throws a RangeError for %i', async (code) => {
    expect(await answer((res) => expect(() => res.status(code)).toThrow(RangeError))).toMatchObject({ status: 200 });
  });
});

describe('res.sendStatus', () => {
  it.each([
    [404, 'Not Found'],
    [799, '799'],
  ])('answers %i with %j', async (status, body) => {
    const found = await answer((res) => res.sendStatus(status));
    expect(found).toMatchObject({ status, body, headers: { 'content-type': 'text/plain; charset=utf-8' } });
  });
});

describe('res.set, get and append', () => {
  it('makes strings of values, and takes several headers at once', async () => {
    const { headers } = await answer((res) => {
      res.set('X-Number', 7).header({ 'X-One': 'a', 'X-Flag': true });
      expect(res.get('x-number')).toBe('7');
    });
    expect(headers).toMatchObject({ 'x-number': '7', 'x-one': 'a', 'x-flag': 'true' });
  });

  it.each([
    ['text/html', 'text/html; charset=utf-8'],
    ['text/html; charset=latin1', 'text/html; charset=latin1'],
    ['image/png', 'image/png'],
    ['json', 'application/json; charset=utf-8'],
  ])('completes the Content-Type %s to %s', async (type, expected) => {
    expect((await answer((res) => res.set('Content-Type', type))).headers['content-type']).toBe(expected);
  });

  it.each(['foo', '; x', 'foo; charset=x', 'text/html', 'nonsense/ type'])(
    'has the Content-Type %s sent as Express does',
    async (type) => {
      for (const body of ['text', { a: 1 }, Buffer.from('bytes')]) {
        const [ours, theirs] = await both((_req, res) => res.set('Content-Type', type).send(body));
        expect(ours).toEqual(theirs);
      }
    },
  );

  it('refuses several Content-Types', async () => {
    await answer((res) => expect(() => res.set('Content-Type', ['a/b', 'c/d'])).toThrow(TypeError));
  });

  it('appends to what is set', async () => {
    const { headers } = await answer((res) => {
      res.append('Set-Cookie', 'a=1').append('Set-Cookie', ['b=2', 'c=3']).append('X-New', 'only');
    });
    expect(headers).toMatchObject({ 'set-cookie': ['a=1', 'b=2', 'c=3'], 'x-new': 'only' });
  });

  it.each(['a\r\nSet-Cookie: b=1', 'a\nb', 'a\0b', '\u20ac'])('refuses the value %j', async (value) => {
    const found = await answer((res) => {
      expect(() => res.set('X-Some', value)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_CHAR' }));
      expect(() => res.append('X-Some', ['fine', value])).toThrow();
      expect(() => res.type(`text/html; a=${value}`)).toThrow();
    });
    expect(found.headers).not.toHaveProperty('set-cookie');
    expect(found.headers).not.toHaveProperty('x-some');
  });
});

describe('res.type', () => {
  it.each([
    ['html', 'text/html; charset=utf-8'],
    ['.js', 'text/javascript; charset=utf-8'],
    ['text/csv', 'text/csv; charset=utf-8'],
    ['unknown', 'application/octet-stream'],
    ['application/x-own', 'application/x-own'],
  ])('of %s is %s', async (type, expected) => {
    expect((await answer((res) => res.type(type))).headers['content-type']).toBe(expected);
    expect((await answer((res) => res.contentType(type))).headers['content-type']).toBe(expected);
  });
});

describe('res.vary and res.links', () => {
  it('adds each name once', async () => {
    const { headers } = await answer((res) => res.vary('Accept').vary(['Origin', 'accept']));
    expect(headers.vary).toBe('Accept, Origin');
  });

  it('adds links to those there are', async () => {
    const { headers } = await answer((res) => res.links({ next: '/2' }).links({ last: ['/8', '/9'] }));
    expect(headers.link).toBe('</2>; rel="next", </8>; rel="last", </9>; rel="last"');
  });
});

describe('res.location', () => {
  it.each([
    ['/a b', '/a%20b'],
    ['https://example.com/?a=%20', 'https://example.com/?a=%20'],
    ['/\u20ac', '/%E2%82%AC'],
    ['/a\r\nSet-Cookie: b=1', '/a%0D%0ASet-Cookie:%20b=1'],
  ])('of %j is %s', async (url, expected) => {
    const { headers } = await answer((res) => res.location(url));
    expect(headers.location).toBe(expected);
    expect(headers).not.toHaveProperty('set-cookie');
  });
});

describe('res.redirect', () => {
  it('answers 302 with a line of text for who takes text first', async () => {
    const found = await answer((res) => res.redirect('/a'), { accept: 'text/plain, */*' });
    expect(found).toMatchObject({ status: 302, body: 'Found. Redirecting to /a' });
    expect(found.headers).toMatchObject({ location: '/a', vary: 'Accept', 'content-length': '24' });
  });

  it('escapes the address in HTML', async () => {
    const found = await answer((res) => res.redirect(301, "/?a=<'b'>"), { accept: 'text/html' });
    expect(found.status).toBe(301);
    expect(found.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(found.body).toContain('<p>Moved Permanently. Redirecting to /?a=%3C&#39;b&#39;%3E</p>');
  });

  it.each([
    ['who takes neither', 'GET', { accept: 'image/png' }, '0'],
    ['HEAD', 'HEAD', { accept: 'text/plain' }, '24'],
  ])('has no body for %s', async (_whom, method, accept, length) => {
    const found = await answer((res) => res.redirect('/a'), accept, method);
    expect(found).toMatchObject({ status: 302, body: '', headers: { location: '/a', 'content-length': length } });
  });
});

describe('res.stderr', () => {
  it('is the stderr of the process over HTTP, after the answer as well', async () => {
    await answer((res) => {
      res.send('done');
      expect(res.stderr).toBe(process.stderr);
    });
  });

  it('is the socket\u2019s where that is a web server\u2019s', async () => {
    const log = process.stdout;
    await answer((res) => {
      Object.assign(res.req.socket, { params: {}, stderr: log });
      res.send('done');
      expect(res.stderr).toBe(log);
    });
  });
});

describe('res.format', () => {
  const answers = {
    text: (_req: unknown, res: Response) => void res.send('text'),
    'text/html; a=b': (_req: unknown, res: Response) => void res.send('<p>html</p>'),
    json: (_req: unknown, res: Response) => void res.json({ a: 1 }),
  };
  const others = { default: (_req: unknown, res: Response) => void res.send('other') };

  it.each(['text/html', 'application/json', 'text/*', '*/*', 'text/html;q=0.1, text/plain', 'image/png', ''])(
    'answers Accept: %s as Express does',
    async (accept) => {
      for (const given of [answers, { ...answers, ...others }, others, {}]) {
        const [ours, theirs] = await both((_req, res) => void res.format(given), '/', { accept });
        expect(ours).toEqual(theirs);
      }
    },
  );

  it('fails with an error of its own where nothing is accepted', async () => {
    const site = await serve((req, res) => {
      req.next = (error) => res.json({ ...(error as object), message: (error as Error).message });
      res.format(answers);
    });
    expect(JSON.parse((await site.ask('/', { headers: { Accept: 'image/png' } })).body)).toMatchObject({
      code: 'FCGI_ERR_NOT_ACCEPTABLE',
      status: 406,
      types: ['text/plain', 'text/html', 'application/json'],
    });
  });
});

describe('res.jsonp', () => {
  it.each(['/', '/?callback=', '/?callback=a.b[0]', '/?callback=a(%27)%3C', '/?callback=a&callback=b', '/?cb=c'])(
    'answers %s as Express does',
    async (path) => {
      for (const value of [{ a: '\u2028\u2029<&' }, 'text', null, undefined]) {
        for (const settings of [{}, { 'jsonp callback name': 'cb', 'json spaces': 2, 'json escape': true }]) {
          const [ours, theirs] = await both((_req, res) => res.jsonp(value), path, {}, settings);
          expect(ours).toEqual(theirs);
        }
      }
    },
  );

  it('leaves a Content-Type as Express does', async () => {
    for (const path of ['/', '/?callback=a']) {
      const [ours, theirs] = await both((_req, res) => res.type('text').jsonp({}), path);
      expect(ours).toEqual(theirs);
    }
  });
});
