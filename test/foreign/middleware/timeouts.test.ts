import { describe, expect, it } from 'vitest';
import { describeThrough } from '../doors.ts';
import { type Failure, type ForeignRequest, type ForeignResponse, hosts, type Next, require } from '../hosts.ts';

const timeout = require('connect-timeout');

describeThrough('timeouts', (through) => {
  describe.each(hosts)('in %s', (_name, make) => {
    it('connect-timeout fires, and not for what is answered before', async () => {
      await through(
        ({ log }) =>
          make()
            .use(timeout('80ms'))
            .use((req, res) => {
              req.on('timeout', (after: number) => log.push(`${req.url} after ${after}: ${req.timedout}`));
              if (req.url === '/quick') res.end('quick');
              if (req.url === '/cleared') {
                req.clearTimeout();
                setTimeout(() => res.end(`cleared: ${req.timedout}`), 120);
              }
            })
            .use((error: Failure, _req: ForeignRequest, res: ForeignResponse, _next: Next) => {
              res.statusCode = error.status;
              res.end(error.code);
            }),
        async (client) => {
          expect(await client.say('/quick')).toBe('200 quick');
          expect(await client.say('/cleared')).toBe('200 cleared: false');
          expect(await client.say('/slow')).toBe('503 ETIMEDOUT');
          expect(client.log).toEqual(['/slow after 80: true']);
        },
      );
    });
  });
});
