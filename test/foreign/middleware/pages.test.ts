import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { describeThrough } from '../doors.ts';
import { hosts, require, routingHosts } from '../hosts.ts';

describeThrough('pages', (through) => {
  describe.each(hosts)('in %s', (_name, make) => {
    it('connect-livereload injects its script into pages, and into nothing else', async () => {
      const livereload = require('connect-livereload');
      const pages: Record<string, [string, string]> = {
        '/': ['text/html', '<html><head></head><body><h1>Hello</h1></body></html>'],
        '/data.json': ['application/json', '{"body":"<body></body>"}'],
      };
      await through(
        () =>
          make()
            .use(livereload({ port: 35729, src: 'http://localhost:35729/livereload.js' }))
            .use((req, res) => {
              const [type, page] = pages[req.url!]!;
              res.setHeader('Content-Type', type);
              res.setHeader('Content-Length', page.length);
              res.write(page.slice(0, 10));
              res.end(page.slice(10));
            }),
        async (client) => {
          const html = { headers: { Accept: 'text/html' } };
          const page = await client.ask('/', html);
          expect(page.body).toContain('livereload.js');
          expect(page.body).toContain('<h1>Hello</h1>');
          expect(await client.say('/data.json', html)).toBe(`200 ${pages['/data.json']![1]}`);
          expect((await client.ask('/', { headers: { Accept: 'image/*' } })).body).toBe(pages['/']![1]);
        },
      );
    });

    it('i18next-http-middleware translates by header, query, cookie and path', async () => {
      // Without Express's `req.query` it says that it takes the URL's.
      vi.spyOn(console, 'log').mockReturnValue();
      onTestFinished(() => void vi.restoreAllMocks());
      const i18next = require('i18next').createInstance();
      const middleware = require('i18next-http-middleware');
      await i18next.use(middleware.LanguageDetector).init({
        preload: ['en', 'de'],
        fallbackLng: 'en',
        supportedLngs: ['en', 'de'],
        resources: {
          en: { translation: { hello: 'Hello {{name}}' } },
          de: { translation: { hello: 'Grüß dich, {{name}}' } },
        },
        detection: { order: ['querystring', 'cookie', 'header'], caches: ['cookie'] },
        showSupportNotice: false,
      });
      await through(
        () =>
          make()
            .use('/texts', middleware.getResourcesHandler(i18next, { cache: false }))
            .use(middleware.handle(i18next))
            .use((req, res) => {
              res.setHeader('Content-Type', 'text/plain; charset=utf-8');
              res.end(`${req.t('hello', { name: 'Ada' })} (${req.language})`);
            }),
        async (client) => {
          const utf8 = async (path: string, headers = {}) =>
            Buffer.from((await client.ask(path, { headers })).body, 'latin1').toString();
          expect(await utf8('/', { 'Accept-Language': 'fr' })).toBe('Hello Ada (en)');
          client.cookies.clear();
          const header = await client.ask('/', { headers: { 'Accept-Language': 'de-AT,de;q=0.9,en;q=0.5' } });
          expect(header.headers['content-language']?.[0]).toMatch(/^de/);
          client.cookies.clear();
          expect(await utf8('/?lng=de')).toBe('Grüß dich, Ada (de)');
          expect(await utf8('/', { 'Accept-Language': 'en' })).toBe('Grüß dich, Ada (de)');
        },
        { except: [/(?<=[Ee]xpires=)[^;]+/] },
      );
    });

    it('graphql-http answers queries, mutations with variables, and errors', async () => {
      const { buildSchema } = require('graphql');
      const { createHandler } = require('graphql-http/lib/use/http');
      const schema = buildSchema(`
        type Query { hello(name: String!): String, fails: String }
        type Mutation { add(a: Int!, b: Int!): Int }
      `);
      await through(
        () => {
          const rootValue = {
            hello: ({ name }: { name: string }) => `Hello ${name}`,
            add: async ({ a, b }: { a: number; b: number }) => a + b,
            fails: () => {
              throw new Error('on purpose');
            },
          };
          return make().use('/graphql', createHandler({ schema, rootValue }));
        },
        async (client) => {
          const query = encodeURIComponent('{ hello(name: "Ada") }');
          expect(await client.say(`/graphql?query=${query}`)).toBe('200 {"data":{"hello":"Hello Ada"}}');
          const mutation = 'mutation ($a: Int!) { add(a: $a, b: 2) }';
          const added = await client.post('/graphql', { query: mutation, variables: { a: 1 } });
          expect(added.body).toBe('{"data":{"add":3}}');
          expect(JSON.parse((await client.post('/graphql', { query: '{ fails }' })).body)).toMatchObject({
            data: { fails: null },
            errors: [{ message: 'on purpose', path: ['fails'] }],
          });
          expect(await client.post('/graphql', { query: '{ nothing' })).toMatchObject({ status: 200 });
          const accepts = { Accept: 'application/graphql-response+json' };
          expect(await client.post('/graphql', { query: '{ nothing' }, accepts)).toMatchObject({ status: 400 });
          expect(await client.post('/graphql', '{')).toMatchObject({ status: 415 });
          expect(await client.say('/graphql', { method: 'PUT' })).toMatch(/^405/);
        },
      );
    });
  });

  describe.each(routingHosts)('in %s', (_name, make) => {
    it('swagger-ui-express serves its page, its program and what it is to show', async () => {
      const swaggerUi = require('swagger-ui-express');
      const document = { openapi: '3.0.0', info: { title: 'Shown', version: '1' }, paths: {} };
      await through(
        () => make().use('/docs', ...swaggerUi.serve, swaggerUi.setup(document, { customSiteTitle: 'The API' })),
        async (client) => {
          const page = await client.ask('/docs/');
          expect(page.headers['content-type']).toEqual(['text/html; charset=utf-8']);
          expect(page.body).toContain('<title>The API</title>');
          expect((await client.ask('/docs/swagger-ui-init.js')).body).toContain('"title": "Shown"');
          const program = await client.ask('/docs/swagger-ui-bundle.js');
          expect(program.body.length).toBeGreaterThan(1_000_000);
          expect((await client.ask('/docs/swagger-ui.css')).headers['content-type']).toEqual([
            'text/css; charset=utf-8',
          ]);
          expect(await client.ask('/docs')).toMatchObject({ status: 301, headers: { location: ['/docs/'] } });
        },
      );
    });
  });
});
