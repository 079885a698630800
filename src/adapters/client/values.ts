import { type FcgiError, fcgiError } from '../../core/errors.ts';
import type { Address } from '../address.ts';
import { FCGI_GET_VALUES_RESULT, FCGI_UNKNOWN_TYPE } from '../fastcgi/constants.ts';
import { decodePairs } from '../fastcgi/pairs.ts';
import { RecordParser } from '../fastcgi/parser.ts';
import { encodeGetValues } from '../fastcgi/records.ts';
import { connect } from './connect.ts';
import { after } from './options.ts';

/** What an application says of itself, by the names that were asked for. */
export type Values = Record<string, string>;

/** Variables that an answer may have. */
const MAX_VALUES = 1000;

/**
 * Asks an application for variables (FCGI_GET_VALUES, section 4.1), on a connection for just that. Those that it does not
 * know are left out.
 *
 * Rejects with FCGI_ERR_CLIENT_CONNECT, FCGI_ERR_CLIENT_CLOSED, FCGI_ERR_CLIENT_PROTOCOL, FCGI_ERR_CLIENT_TIMEOUT.
 */
export function getValues(
  address: Address,
  names: Iterable<string>,
  { connectTimeout, headersTimeout }: { connectTimeout: number; headersTimeout: number },
): Promise<Values> {
  return new Promise((resolve, reject) => {
    connect(address, connectTimeout, (socket) => {
      if (socket instanceof Error) return reject(socket);
      const timer = after(headersTimeout, () =>
        fail('FCGI_ERR_CLIENT_TIMEOUT', `it said nothing for ${headersTimeout} ms`),
      );
      const done = () => {
        clearTimeout(timer);
        parser.stop();
        socket.destroy();
      };
      const fail = (code: FcgiError['code'], why: string, cause?: Error) => {
        done();
        reject(fcgiError(code, `The application does not tell its values: ${why}`, cause));
      };
      const parser = new RecordParser({
        onRecord(type, _id, chunk, start, end) {
          if (type !== FCGI_GET_VALUES_RESULT && type !== FCGI_UNKNOWN_TYPE) return;
          const known = type === FCGI_UNKNOWN_TYPE ? [] : decodePairs(chunk.subarray(start, end), MAX_VALUES);
          resolve(Object.fromEntries(known));
          done();
        },
        onData() {},
        onDataEnd() {},
        onUnknown() {},
      });
      socket.on('error', (error) => fail('FCGI_ERR_CLIENT_CLOSED', error.message, error));
      socket.on('close', () => fail('FCGI_ERR_CLIENT_CLOSED', 'it closed the connection'));
      socket.on('data', (chunk) => {
        try {
          parser.write(chunk);
        } catch (error) {
          fail('FCGI_ERR_CLIENT_PROTOCOL', (error as Error).message, error as Error);
        }
      });
      socket.write(encodeGetValues(names));
    });
  });
}
