import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { describeThrough } from '../doors.ts';
import { type Failure, type ForeignRequest, type ForeignResponse, hosts, type Next, require } from '../hosts.ts';

const bodyParser = require('body-parser');

/** What came, and what of it middleware could not take. */
function tell(req: ForeignRequest, res: ForeignResponse): void {
  const { body } = req;
  const told = Buffer.isBuffer(body) ? `${body.length} ${createHash('md5').update(body).digest('hex')}` : body;
  res.end(JSON.stringify(told));
}
function refuse(error: Failure, _req: ForeignRequest, res: ForeignResponse, _next: Next) {
  res.statusCode = error.status;
  res.end(error.type);
}

describeThrough('bodies', (through) => {
  describe.each(hosts)('in %s', (_name, make) => {
    const parsing = () =>
      make()
        .use(bodyParser.json({ limit: '100kb' }))
        .use(bodyParser.urlencoded({ extended: true }))
        .use(bodyParser.text())
        .use(bodyParser.raw({ type: 'image/*', limit: '2mb', verify: verifySize }))
        .use(tell)
        .use(refuse);
    const verifySize = (_req: unknown, _res: unknown, bytes: Buffer) => {
      if (bytes.length === 13) throw new Error('unlucky');
    };

    it('body-parser reads JSON, forms, text and bytes', async () => {
      await through(parsing, async (client) => {
        expect((await client.post('/', { a: [1, 'ü'] })).body).toBe(Buffer.from('{"a":[1,"ü"]}').toString('latin1'));
        expect((await client.post('/', 'a[b]=1&a[c]=%20x&d=1&d=2')).body).toBe(
          '{"a":{"b":"1","c":" x"},"d":["1","2"]}',
        );
        const latin1 = { 'Content-Type': 'text/plain; charset=iso-8859-1' };
        const text = await client.ask('/', { method: 'PUT', body: Buffer.from('gr\xfcn', 'latin1'), headers: latin1 });
        expect(Buffer.from(text.body, 'latin1').toString()).toBe('"grün"');
        const bytes = Buffer.alloc(1_500_000, 'abcde');
        const md5 = createHash('md5').update(bytes).digest('hex');
        const image = { 'Content-Type': 'image/png' };
        for (const chunked of [false, true]) {
          const told = await client.ask('/', { method: 'POST', body: bytes, headers: image, chunked });
          expect(told.body).toBe(`"1500000 ${md5}"`);
        }
      });
    });

    it('body-parser inflates', async () => {
      await through(parsing, async (client) => {
        const headers = { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' };
        const body = gzipSync('{"packed":true}');
        expect((await client.ask('/', { method: 'POST', body, headers })).body).toBe('{"packed":true}');
        const bomb = gzipSync(Buffer.from(JSON.stringify('x'.repeat(1_000_000))));
        expect(await client.say('/', { method: 'POST', body: bomb, headers })).toBe('413 entity.too.large');
      });
    });

    it('body-parser leaves alone what has no body, and what is of another type', async () => {
      await through(parsing, async (client) => {
        for (const method of ['GET', 'DELETE', 'POST']) {
          expect(await client.say('/', { method })).toMatch(/^200 (\{\})?$/);
        }
        const headers = { 'Content-Type': 'application/unknown' };
        expect(await client.say('/', { method: 'POST', body: 'x', headers })).toMatch(/^200 (\{\})?$/);
        const empty = { 'Content-Type': 'application/json', 'Content-Length': '0' };
        expect(await client.say('/', { method: 'POST', headers: empty })).toMatch(/^200 (\{\})?$/);
      });
    });

    it('body-parser refuses what is too large, broken, in an unknown charset or not what was hoped for', async () => {
      await through(parsing, async (client) => {
        const json = { 'Content-Type': 'application/json' };
        const refused = async (body: string | Buffer, headers: Record<string, string> = json, chunked = false) =>
          await client.say('/', { method: 'POST', body, headers, chunked });
        expect(await refused('{"a":')).toBe('400 entity.parse.failed');
        expect(await refused(JSON.stringify('x'.repeat(200_000)))).toBe('413 entity.too.large');
        expect(await refused(JSON.stringify('x'.repeat(200_000)), json, true)).toBe('413 entity.too.large');
        expect(await refused('{}', { 'Content-Type': 'application/json; charset=x' })).toBe('415 charset.unsupported');
        expect(await refused('{}', { ...json, 'Content-Encoding': 'x' })).toBe('415 encoding.unsupported');
        expect(await refused('thirteen long', { 'Content-Type': 'image/gif' })).toBe('403 entity.verify.failed');
      });
    });

    it('method-override takes the method from a header, the query or the body', async () => {
      const methodOverride = require('method-override');
      await through(
        () =>
          make()
            .use(bodyParser.urlencoded())
            .use(methodOverride('X-HTTP-Method-Override'))
            .use(methodOverride('_method'))
            .use(methodOverride((req: ForeignRequest) => req.body?._method))
            .use((req, res) => res.end(`${req.method} was ${req.originalMethod}`)),
        async (client) => {
          const headers = { 'X-HTTP-Method-Override': 'PATCH' };
          const header = await client.ask('/', { method: 'POST', headers });
          expect(header.body).toBe('PATCH was POST');
          expect(header.headers.vary).toEqual(['X-HTTP-Method-Override']);
          expect(await client.say('/?_method=DELETE', { method: 'POST' })).toBe('200 DELETE was POST');
          expect((await client.post('/', '_method=put&a=1')).body).toBe('PUT was POST');
          expect(await client.say('/?_method=DELETE')).toBe('200 GET was GET');
        },
      );
    });
  });
});
