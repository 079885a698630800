import { Readable } from 'node:stream';
import { fcgiError } from '../../core/errors.ts';
import { Inflow, pushTo } from './inflow.ts';
import type { RequestSocket } from './request-socket.ts';

/**
 * FCGI_DATA of one request, the file that a Filter is to process (section 6.4): fails with the request, and with
 * FCGI_ERR_BODY_UNDERRUN or FCGI_ERR_BODY_OVERRUN if it is not as long as FCGI_DATA_LENGTH says.
 */
export class FilterData extends Readable {
  readonly inflow: Inflow;
  readonly #request: RequestSocket;

  constructor(request: RequestSocket) {
    super();
    this.inflow = new Inflow(this, request.connection.limits.maxBufferedBytes, () => pushTo(this, null));
    this.#request = request;
  }

  override _read(): void {
    if (!this.inflow.paused) return;
    this.inflow.resume();
    this.#request.connection.onResumed();
  }

  /** All of it has come. */
  end(): void {
    const { bytes } = this.inflow;
    const length = this.#request.cgi.get('FCGI_DATA_LENGTH');
    if (!/^\d+$/.test(length) || Number(length) === bytes) {
      this.inflow.end();
    } else {
      const code = bytes < Number(length) ? 'FCGI_ERR_BODY_UNDERRUN' : 'FCGI_ERR_BODY_OVERRUN';
      this.destroy(fcgiError(code, `The data has ${bytes} bytes, not the ${length} of FCGI_DATA_LENGTH`));
    }
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.inflow.close();
    this.#request.connection.onResumed();
    // As node:http's requests: an error that nobody listens to does not bring the process down.
    process.nextTick(() => callback(this.listenerCount('error') > 0 ? error : null));
  }
}
