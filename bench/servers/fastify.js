// @ts-check
import Fastify from 'fastify';

const app = Fastify();
app.get('/hello', async () => 'Hello World');

export default (/** @type {string} */ path) => app.listen({ path });
