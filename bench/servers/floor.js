// @ts-check
import { once } from 'node:events';
import { createServer } from 'node:net';

const STDIN = 5;
const STDOUT = 6;
const END_REQUEST = 3;

const ANSWER = Buffer.concat([
  record(STDOUT, 'Status: 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 11\r\n\r\nHello World'),
  record(END_REQUEST, '\0'.repeat(8)),
]);

/** The floor: steps from record to record, reads nothing in them, and answers a constant. */
const server = createServer((socket) => {
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    let data = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    while (data.length >= 8) {
      const contentLength = (data[4] << 8) | data[5];
      const end = 8 + contentLength + data[6];
      if (data.length < end) break;
      if (data[1] === STDIN && contentLength === 0) socket.write(ANSWER);
      data = data.subarray(end);
    }
    rest = data;
  });
  // The load generator closes with requests in flight.
  socket.on('error', () => {});
});

/** @param {number} type @param {string} content */
function record(type, content) {
  return Buffer.concat([Buffer.from([1, type, 0, 1, 0, content.length, 0, 0]), Buffer.from(content)]);
}

export default (/** @type {string} */ path) => once(server.listen(path), 'listening');
