import { createApp, serve } from 'fcgi';
import { proxy } from 'fcgi/middleware';

const app = createApp();

app.get('/', (_req, res) => res.send('<h1>Hello World</h1>'));
app.get('/hello/:name', (req, res) => res.type('text').send(`Hello ${req.params.name}`));
app.post('/hello', async (req, res) => res.type('text').send(`Hello ${await req.stdin.text()}`));

const port = process.env.PORT || 8080;
await serve(app, { fastcgi: './fcgi.sock' });

// What a web server does: it takes HTTP, and asks the app over FastCGI.
const webServer = createApp();
webServer.use(proxy('./fcgi.sock'));
await serve(webServer, { http: port });

console.log(`Open http://127.0.0.1:${port}

which asks the app over FastCGI, or put this into a Caddyfile, for Caddy to do the same:

  reverse_proxy unix/${process.cwd()}/fcgi.sock {
    transport fastcgi
  }

or try the two configurations beside this file: their first lines say how.`);
