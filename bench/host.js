// @ts-check
/**
 * The process that a server under measurement runs in: `node host.js MODULE SOCKET`.
 * MODULE's default export takes the path of the unix socket and answers when it listens.
 */
import { pathToFileURL } from 'node:url';

const [module, socket] = process.argv.slice(2);

process.on('message', () => process.send?.(process.cpuUsage()));
process.on('disconnect', () => process.exit());

const { default: listen } = await import(pathToFileURL(module).href);
await listen(socket);
process.send?.('listening');
