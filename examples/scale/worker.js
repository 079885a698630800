import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { RedisStore } from 'connect-redis';
// @ts-expect-error It comes without types.
import session from 'express-session';
import { createApp, serve } from 'fcgi';
import { createClient } from 'redis';

// A port of this machine; `host:port`, if the web server is on another one.
const address = process.argv[2] ?? '9001';

const redis = createClient({ url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379' });
redis.on('error', (error) => console.error(error.message));
await redis.connect();

const app = createApp({ env: 'production' });

app.use((_req, res, next) => {
  res.set('X-Worker', address);
  next();
});

// Before the sessions: it is asked twice a second.
let leaving = false;
app.get('/health', (_req, res) => res.sendStatus(leaving ? 503 : 200));

app.use(
  session({
    store: new RedisStore({ client: redis, prefix: 'scale:', disableTouch: true }),
    // The same for all workers.
    secret: process.env.SESSION_SECRET ?? 'change me',
    name: 'id',
    resave: false,
    saveUninitialized: false,
    cookie: { httpOnly: true, sameSite: 'lax', secure: 'auto' },
  }),
);

app.get('/', async (req, res) => {
  /** @type {any} */
  const { session } = req;
  session.views = (session.views ?? 0) + 1;
  // Unless it is saved here, and with disableTouch above, express-session sends the answer all but its last byte and saves
  // then: one that has begun cannot be sent again, should the worker be killed meanwhile.
  await promisify(session.save.bind(session))();
  res.type('text').send(`Visit ${session.views}, answered by ${address}\n`);
});

// What must not be done twice, and takes its time: stop or kill its worker meanwhile.
app.post('/work/:seconds', async (req, res) => {
  const work = `Work ${await redis.incr('scale-work')}`;
  console.log(`${work} begins`);
  await setTimeout(1000 * Number(req.params.seconds));
  res.type('text').send(`${work}, done by ${address}\n`);
});

const doors = await serve(app, { fastcgi: address, signals: false });
console.log(`Listening on ${address}`);

process.once('SIGTERM', async () => {
  // It goes on serving until a web server that asks has heard that it leaves.
  leaving = true;
  await setTimeout(2000);
  await doors.close();
  process.exit();
});
