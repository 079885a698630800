import { FcgiError, fcgiError } from '../../core/errors.ts';
import { after } from '../../core/timer.ts';
import type { Address } from '../address.ts';
import { FCGI_GET_VALUES_RESULT, FCGI_UNKNOWN_TYPE } from '../fastcgi/constants.ts';
import { decodePairs } from '../fastcgi/pairs.ts';
import { RecordParser } from '../fastcgi/parser.ts';
import { encodeGetValues } from '../fastcgi/records.ts';
import { connect } from './connect.ts';

/** What an application says of itself, by the names that were asked for. */
export type Values = Record<string, string>;

/** Variables that an answer may have. */
const MAX_VALUES = 1000;

/**
 * Asks an application for variables (FCGI_GET_VALUES, section 4.1), on a connection for just that. Those that it does not
 * know are left out.
 *
 * Rejects with FCGI_ERR_CLIENT_CONNECT, FCGI_ERR_CLIENT_CLOSED, FCGI_ERR_CLIENT_PROTOCOL, FCGI_ERR_CLIENT_TIMEOUT, or the
 * signal's reason.
 */
export function getValues(
  address: Address,
  names: Iterable<string>,
  timeouts: { connectTimeout: number; headersTimeout: number },
  signal: AbortSignal,
): Promise<Values> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const parser = new RecordParser({
      onRecord(type, _id, chunk, start, end) {
        if (type === FCGI_GET_VALUES_RESULT)
          finish(Object.fromEntries(decodePairs(chunk.subarray(start, end), MAX_VALUES)));
        else if (type === FCGI_UNKNOWN_TYPE) finish({});
      },
      onData() {},
      onDataEnd() {},
      onUnknown() {},
    });

    function finish(result: Values | Error): void {
      clearTimeout(timer);
      parser.stop();
      give();
      if (result instanceof Error) reject(result);
      else resolve(result);
    }
    function fail(code: FcgiError['code'], why: string, cause?: unknown): void {
      finish(fcgiError(code, `The application does not tell its values: ${why}`, cause));
    }
    function onBytes(bytes: Buffer): void {
      try {
        parser.write(bytes);
      } catch (error) {
        fail('FCGI_ERR_CLIENT_PROTOCOL', (error as Error).message, error);
      }
    }

    const give = connect(address, timeouts.connectTimeout, onBytes, (connected) => {
      if (connected instanceof FcgiError) {
        finish(connected);
        return;
      }
      const { headersTimeout } = timeouts;
      timer = after(headersTimeout, () =>
        fail('FCGI_ERR_CLIENT_TIMEOUT', `it said nothing for ${headersTimeout} ms`),
      ).unref();
      connected
        .on('error', (error) => fail('FCGI_ERR_CLIENT_CLOSED', error.message, error))
        .on('close', () => fail('FCGI_ERR_CLIENT_CLOSED', 'it closed the connection'));
      connected.write(encodeGetValues(names));
    });
    signal.addEventListener('abort', () => finish(signal.reason));
  });
}
