import { ServerResponse } from 'node:http';
import net, { type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { differs, later, same } from './row.ts';

same('req.socket instanceof net.Socket, stream.Duplex', {}, ({ socket }, res, { note }) => {
  note(socket instanceof net.Socket, socket instanceof Duplex);
  res.end();
});

same(
  'req.socket.remoteAddress, remotePort, remoteFamily, localAddress, localPort, localFamily, address()',
  {},
  ({ socket }, res) => {
    const { remoteAddress, remotePort, remoteFamily, localAddress, localPort, localFamily } = socket;
    const told = { remoteAddress, remotePort, remoteFamily, localAddress, localPort, localFamily };
    res.end(JSON.stringify({ ...told, address: socket.address() }));
  },
  async (visitor) => {
    const { body } = await visitor.ask().answer();
    const { socket } = visitor;
    const { remoteAddress, remotePort, localAddress, localPort, address, ...families } = JSON.parse(body);
    const ends = [
      [plainAddress(remoteAddress) === socket.localAddress, remotePort === socket.localPort],
      [plainAddress(localAddress) === socket.remoteAddress, localPort === socket.remotePort],
    ];
    return { ends, families: Object.keys(families), address: Object.keys(address) };
  },
);

/** node:http listens on both families at once here, and has such addresses as IPv6. */
function plainAddress(address: string): string {
  return address.replace('::ffff:', '');
}

same('req.socket.encrypted', {}, (req, res, { note }) => {
  const socket = req.socket as Socket & { encrypted?: boolean };
  note(socket.encrypted);
  socket.encrypted = true;
  note(socket.encrypted);
  res.end();
});

same(
  'req.socket.readable, writable, destroyed, closed, connecting, pending, readyState, allowHalfOpen, timeout, errored',
  {},
  ({ socket }, res, { note }) => {
    const states = () => {
      const { readable, writable, destroyed, closed, connecting, pending, readyState } = socket;
      const { writableEnded, writableFinished, readableEnded, errored, timeout } = socket;
      return [
        { readable, writable, destroyed, closed, connecting, pending, readyState },
        { writableEnded, writableFinished, readableEnded, errored, timeout: timeout ?? null },
      ];
    };
    note(states(), socket.allowHalfOpen);
    setImmediate(() => {
      note(states());
      socket.destroy();
      note('destroyed', states());
      socket.on('close', () => note('closed', states()));
      res.on('close', () => setImmediate(() => note('at last')));
    });
  },
  async (visitor, { noted }) => {
    const answer = await visitor.ask().answer();
    await noted('at last');
    return answer;
  },
);

same('req.socket.server', {}, ({ socket }, res, { note, server }) => {
  note((socket as Socket & { server?: unknown }).server === server);
  res.end();
});

same('req.socket.bytesRead, bytesWritten, bufferSize', {}, ({ socket }, res, { note }) => {
  const { bytesRead, bytesWritten } = socket;
  note(bytesRead > 0, bytesWritten);
  res.write('x'.repeat(1000));
  setImmediate(() => {
    note(socket.bytesWritten > 1000);
    res.end();
  });
});

same('req.socket.setNoDelay, setKeepAlive, ref, unref, pause, resume, cork', {}, ({ socket }, res, { note }) => {
  note(socket.setNoDelay() === socket, socket.setKeepAlive(true, 1000) === socket);
  note(socket.unref() === socket, socket.ref() === socket);
  note(socket.cork(), socket.writableCorked, socket.uncork(), socket.writableCorked);
  res.end('x');
});

same('req.socket.setEncoding', {}, ({ socket }, res, { attempt }) => {
  attempt(() => socket.setEncoding('utf8'));
  res.end('x');
});

same('req.socket.destroy, resetAndDestroy, destroySoon, end: what they give', {}, ({ socket }, res, { note }) => {
  for (const method of ['destroy', 'resetAndDestroy', 'destroySoon', 'end'] as const) note(typeof socket[method]);
  res.end('x');
});

same(
  'req.socket.end(data, callback)',
  {},
  ({ socket }, _res, { note }) => {
    let calls = 0;
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx', () => note('called', ++calls));
  },
  async (visitor, { noted }) => {
    const answer = await visitor.ask().answer();
    await noted(['called', 1]);
    return answer;
  },
);

same('req.socket.resetAndDestroy()', {}, ({ socket }, res, { note, watch }) => {
  watch('res', res, 'close', 'finish', 'error');
  setImmediate(() => note(socket.resetAndDestroy() === socket, socket.destroyed));
});

same(
  "req.socket 'close', 'error'",
  {},
  ({ socket }, _res, { note }) => {
    socket.on('error', note);
    socket.on('close', (hadError) => note('close', hadError));
    setImmediate(() => socket.destroy(new Error('mine')));
  },
  async (visitor, { noted }) => {
    const answer = await visitor.ask().answer();
    await noted(['close', true]);
    return answer;
  },
);

same(
  "req.socket 'error', 'close' when the client leaves before its body is complete",
  { length: 10 },
  (req, res, { note, watch }) => {
    watch('socket', req.socket, 'error', 'close');
    watch('req', req, 'aborted', 'error', 'close');
    watch('res', res, 'close');
    note('leave');
  },
  async (visitor, { noted }, ask) => {
    const answer = visitor.ask(ask).write('012').answer();
    await noted('leave');
    visitor.leave();
    await noted('req close');
    return answer;
  },
);

same(
  "req.socket 'close' when the client leaves after its body, before the answer",
  { body: '0123456789' },
  (req, res, { note, watch }) => {
    watch('socket', req.socket, 'error', 'close');
    watch('res', res, 'close');
    req.resume().on('end', () => note('leave'));
  },
  async (visitor, { noted }, ask) => {
    const answer = visitor.ask(ask).answer();
    await noted('leave');
    visitor.leave();
    await noted('socket close');
    return answer;
  },
);

differs(
  "req.socket 'close', destroyed after the answer",
  {
    http: { notes: [false, 'the client has left', 'close'] },
    fastcgi: { notes: ['close', true, 'the client has left'] },
  },
  {},
  later(({ socket }, res, { note }) => {
    socket.on('close', () => note('close'));
    res.on('close', () => setImmediate(() => note(socket.destroyed)));
    res.end('x');
  }),
  async (visitor, { noted, note, overHttp }) => {
    await visitor.ask().answer();
    await noted(!overHttp);
    note('the client has left');
    visitor.leave();
    await noted('close');
  },
);

same(
  'res.socket, connection, before and after',
  {},
  later((req, res, { note }) => {
    note(res.socket === req.socket, res.connection === req.socket);
    res.on('prefinish', () => note('prefinish', res.socket === req.socket));
    res.on('finish', () => note('finish', res.socket, res.connection));
    res.on('close', () => note('close', res.socket));
    res.end('x');
  }),
);

same('HTTP written to req.socket', { headers: [['Connection', 'close']] }, ({ socket }, _res, { note }) => {
  socket.on('finish', () => note('finish'));
  note(socket.write('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n'));
  note(socket.end('Content-Length: 4\r\n\r\nbody') === socket);
  note(socket.writableEnded, socket.writable);
});

same('req.socket.write after its end', {}, ({ socket }, _res, { note }) => {
  socket.on('error', note);
  socket.end('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody');
  note(socket.write('more', (error) => note('called back', error)));
});

same(
  'res.detachSocket, assignSocket',
  {},
  later((req, res, { note, attempt, watch }) => {
    const { socket } = req;
    watch('res', res, 'socket', 'prefinish', 'finish', 'close');
    attempt(() => res.assignSocket(socket));
    res.detachSocket(socket);
    note(res.socket, res.write('kept '));
    res.end('until then');
    setImmediate(() => {
      attempt(() => res.assignSocket(socket));
      note(res.socket === socket);
    });
  }),
);

same(
  'another ServerResponse on req.socket',
  {},
  later((req, res, { note, watch }) => {
    const { socket } = req;
    res.detachSocket(socket);
    const other = new ServerResponse(req);
    watch('other', other, 'prefinish', 'finish');
    other.assignSocket(socket);
    other.writeHead(201, { 'X-Other': 'yes' });
    other.write('an answer ');
    note(other.headersSent);
    other.end('in pieces');
  }),
);

differs(
  "req.socket 'data'",
  { http: { notes: ['GET / HTTP'] }, fastcgi: { notes: ['nothing'] } },
  {},
  ({ socket }, res, { note }) => {
    socket.on('data', (bytes) => note(bytes.toString().slice(0, 10)));
    setImmediate(() => res.end());
  },
  async (visitor, { note, overHttp, noted }) => {
    await visitor.ask().answer();
    if (!overHttp) note('nothing');
    visitor.ask();
    await noted(overHttp ? 'GET / HTTP' : 'nothing');
  },
);
