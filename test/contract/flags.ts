import type { IncomingMessage, ServerResponse } from 'node:http';

/** What one can see of how far a request has been read. */
export function requestFlags(req: IncomingMessage): unknown[] {
  const { readable, readableFlowing, readableEnded, readableLength, readableDidRead, readableAborted } = req;
  const { complete, aborted, destroyed, errored, closed } = req as IncomingMessage & { errored: unknown };
  return [
    { readable, readableFlowing, readableEnded, readableLength, readableDidRead, readableAborted },
    { complete, aborted, destroyed, errored, closed },
  ];
}

/** And of how far a response has been written. */
export function responseFlags(res: ServerResponse): unknown {
  const { headersSent, finished, writable, writableEnded, writableFinished, writableNeedDrain } = res;
  const { writableCorked, writableObjectMode, destroyed, closed, errored } = res;
  return {
    headersSent,
    finished,
    writable,
    writableEnded,
    writableFinished,
    writableNeedDrain,
    writableCorked,
    writableObjectMode,
    destroyed,
    closed,
    errored,
  };
}
