import type { Readable } from 'node:stream';
import { type CgiHead, CgiHeadReader, parseCgiHead } from '../../core/cgi-head.ts';
import { fcgiError } from '../../core/errors.ts';
import { Inflow } from '../fastcgi/inflow.ts';
import type { ClientSettings } from './options.ts';
import { type BodySource, type FcgiResponse, headersOf, ResponseBody, type ResponseHeaders } from './response.ts';
import { Stderr } from './stderr.ts';

/** What comes back for one request, on its way to whoever asked: the head becomes a response, the rest its streams. */
export class Answer {
  /** Something has come. */
  begun = false;
  /** Once the head has come. */
  response: FcgiResponse | undefined;

  readonly #settings: ClientSettings;
  readonly #bodiless: boolean;
  readonly #source: BodySource;
  readonly #onStderr: ((bytes: Buffer) => void) | undefined;
  readonly #head: CgiHeadReader;
  #body: ResponseBody | undefined;
  #inflow: Inflow | undefined;
  /** Bytes of the body that its Content-Length leaves. */
  #left = Number.POSITIVE_INFINITY;
  #stderr: Stderr | undefined;
  #outcome: Outcome | undefined;
  #appStatus: Promise<number> | undefined;
  #tell: ((outcome: Outcome) => void) | undefined;

  /** @param bodiless It has no body, whatever it says: the method is HEAD. */
  constructor(
    settings: ClientSettings,
    bodiless: boolean,
    source: BodySource,
    onStderr: ((bytes: Buffer) => void) | undefined,
  ) {
    this.#settings = settings;
    this.#bodiless = bodiless;
    this.#source = source;
    this.#onStderr = onStderr;
    this.#head = new CgiHeadReader(settings.maxHeadBytes);
  }

  /** Its reader has enough for now. */
  get paused(): boolean {
    return this.#inflow?.paused === true;
  }

  get stderr(): Readable {
    this.#stderr ??= this.#newStderr();
    return this.#stderr.reader;
  }

  get appStatus(): Promise<number> {
    this.#appStatus ??= this.#newAppStatus();
    return this.#appStatus;
  }

  /** @throws FcgiError FCGI_ERR_CGI_OUTPUT: the head is none. FCGI_ERR_OVERLOADED: there is no room to keep the body. */
  onStdout(bytes: Buffer): void {
    this.begun = true;
    if (this.#inflow === undefined) {
      const rest = this.#head.read(bytes);
      if (rest === undefined) return;
      this.#onHead();
      bytes = rest;
    }
    if (bytes.length > this.#left) bytes = bytes.subarray(0, this.#left);
    this.#left -= bytes.length;
    if (bytes.length > 0) this.#inflow!.push(bytes);
  }

  onStderr(bytes: Buffer): void {
    this.begun = true;
    if (this.#onStderr !== undefined) {
      // What it throws is not the connection's.
      process.nextTick(this.#onStderr, bytes);
      return;
    }
    this.#stderr ??= this.#newStderr();
    this.#stderr.push(bytes);
  }

  resume(): void {
    this.#inflow?.resume();
  }

  /**
   * All has come.
   *
   * @throws FcgiError FCGI_ERR_CGI_OUTPUT: it is not whole.
   */
  end(appStatus: number): void {
    this.begun = true;
    if (this.response === undefined) {
      throw fcgiError('FCGI_ERR_CGI_OUTPUT', `It ended before ${this.#head.bytes === 0 ? 'anything' : 'its head'}`);
    }
    if (this.#left > 0 && this.#left < Number.POSITIVE_INFINITY) {
      throw fcgiError('FCGI_ERR_CGI_OUTPUT', 'It is shorter than its Content-Length');
    }
    this.#settle({ appStatus });
    this.#inflow!.end();
  }

  /** The rest will not come. */
  fail(error: unknown): void {
    this.#settle({ error });
    this.#body?.destroy(error as Error);
  }

  /** The reader is gone. */
  close(): void {
    this.#inflow?.close();
  }

  #onHead(): void {
    const head = parseCgiHead(this.#head.lines);
    const { status, length } = head;
    const bodiless = this.#bodiless || status === 204 || status === 304;
    if (bodiless || length !== undefined) this.#left = bodiless ? 0 : length!;
    const body = new ResponseBody(this.#source);
    this.#body = body;
    this.#inflow = new Inflow(body, this.#settings.maxBufferedBytes, () => body.finish());
    this.response = new Response(this, head, body);
  }

  #newStderr(): Stderr {
    const stderr = new Stderr(this.#settings.maxStderrBytes);
    if (this.#outcome !== undefined) stderr.end();
    return stderr;
  }

  #newAppStatus(): Promise<number> {
    const appStatus = new Promise<number>((resolve, reject) => {
      this.#tell = (outcome) => ('error' in outcome ? reject(outcome.error) : resolve(outcome.appStatus));
    });
    // Who looks at it only to leave it is told by `stdout`.
    appStatus.catch(() => {});
    if (this.#outcome !== undefined) this.#tell!(this.#outcome);
    return appStatus;
  }

  #settle(outcome: Outcome): void {
    this.#outcome = outcome;
    this.#stderr?.end();
    this.#tell?.(outcome);
  }
}

type Outcome = { appStatus: number } | { error: unknown };

class Response implements FcgiResponse {
  readonly status: number;
  readonly statusText: string;
  readonly headers: ResponseHeaders;
  readonly rawHeaders: CgiHead['headers'];
  readonly stdout: Readable;
  readonly #answer: Answer;

  constructor(answer: Answer, head: CgiHead, stdout: Readable) {
    this.#answer = answer;
    this.status = head.status;
    this.statusText = head.message;
    this.headers = headersOf(head);
    this.rawHeaders = head.headers;
    this.stdout = stdout;
  }

  get stderr(): Readable {
    return this.#answer.stderr;
  }

  get appStatus(): Promise<number> {
    return this.#answer.appStatus;
  }
}
