// @ts-check
/**
 * The application that all clients ask, `node application.js SOCKET`: it steps from record to record and answers a constant,
 * under the request's id; closes the connection where FCGI_KEEP_CONN is not set; and says that it multiplexes.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';

const BEGIN_REQUEST = 1;
const STDIN = 5;
const GET_VALUES = 9;
const KEEP_CONN = 1;

const BODY = 'Hello World';
const HEAD = `Status: 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: ${BODY.length}\r\n\r\n`;

const VALUES = Buffer.concat(
  [
    ['FCGI_MAX_CONNS', '100'],
    ['FCGI_MAX_REQS', '100'],
    ['FCGI_MPXS_CONNS', '1'],
  ].map(([name, value]) => Buffer.from([name.length, value.length, ...Buffer.from(name + value)])),
);

const server = createServer((socket) => {
  let rest = Buffer.alloc(0);
  let keep = false;
  socket.on('data', (chunk) => {
    let data = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    while (data.length >= 8) {
      const contentLength = data.readUInt16BE(4);
      const end = 8 + contentLength + data[6];
      if (data.length < end) break;
      const [type, id] = [data[1], data.readUInt16BE(2)];
      if (type === BEGIN_REQUEST) keep = data[10] === KEEP_CONN;
      if (type === GET_VALUES) socket.write(record(10, 0, VALUES));
      if (type === STDIN && contentLength === 0) {
        const answer = Buffer.concat([record(6, id, Buffer.from(HEAD + BODY)), record(3, id, Buffer.alloc(8))]);
        if (keep) socket.write(answer);
        else socket.end(answer);
      }
      data = data.subarray(end);
    }
    rest = data;
  });
  socket.on('error', () => {});
});

/** @param {number} type @param {number} id @param {Buffer} content */
function record(type, id, content) {
  return Buffer.concat([
    Buffer.from([1, type, id >> 8, id & 255, content.length >> 8, content.length & 255, 0, 0]),
    content,
  ]);
}

await once(server.listen(process.argv[2]), 'listening');
process.send?.('listening');
process.on('disconnect', () => process.exit());
