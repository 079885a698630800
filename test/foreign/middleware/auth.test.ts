import { expect, it } from 'vitest';
import { describeThrough } from '../doors.ts';
import { require, routingHosts } from '../hosts.ts';

const users = [{ id: '7', name: 'ada', password: 'secret' }];

describeThrough('authentication', (through) => {
  it.each(routingHosts)('passport-local logs in and out in %s', async (_name, make) => {
    const { Passport } = require('passport');
    const LocalStrategy = require('passport-local');
    type Done = (error: unknown, user?: unknown, info?: object) => void;
    await through(
      () => {
        const passport = new Passport();
        passport.use(
          new LocalStrategy((name: string, password: string, done: Done) => {
            const user = users.find((known) => known.name === name && known.password === password);
            done(null, user ?? false, { message: 'Wrong' });
          }),
        );
        passport.serializeUser((user: { id: string }, done: Done) => done(null, user.id));
        passport.deserializeUser((id: string, done: Done) =>
          done(
            null,
            users.find((user) => user.id === id),
          ),
        );
        return make()
          .use(require('express-session')({ secret: 'cat', resave: false, saveUninitialized: false }))
          .use(passport.session())
          .use(require('body-parser').urlencoded())
          .use('/login', passport.authenticate('local', { successRedirect: '/', failureRedirect: '/failed' }))
          .use('/strict', passport.authenticate('local'))
          .use('/logout', (req, res, next) => {
            req.logout((error: unknown) => (error ? next(error) : res.end('bye')));
          })
          .use((req, res) => {
            res.end(`${req.isAuthenticated() ? req.user.name : 'nobody'} at ${req.url}`);
          });
      },
      async (client) => {
        expect(await client.say('/')).toBe('200 nobody at /');
        const wrong = await client.post('/login', 'username=ada&password=guess');
        expect(wrong).toMatchObject({ status: 302, headers: { location: ['/failed'] } });
        expect(await client.post('/strict', 'username=ada&password=guess')).toMatchObject({
          status: 401,
          body: 'Unauthorized',
        });
        expect(await client.post('/strict', 'username=ada')).toMatchObject({ status: 400, body: 'Bad Request' });
        expect(await client.say('/')).toBe('200 nobody at /');
        const right = await client.post('/login', 'username=ada&password=secret');
        expect(right).toMatchObject({ status: 302, headers: { location: ['/'] } });
        const before = client.cookies.get('connect.sid');
        expect(before).toBeDefined();
        expect(await client.say('/')).toBe('200 ada at /');
        expect(await client.say('/logout')).toBe('200 bye');
        expect(await client.say('/')).toBe('200 nobody at /');
        client.cookies.set('connect.sid', before!);
        expect(await client.say('/')).toBe('200 nobody at /');
      },
      // Session ids are random.
      { except: [/(?<=connect\.sid=)[^;]+/] },
    );
  });
});
