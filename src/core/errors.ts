/**
 * Every error of this package: its stable code, and the HTTP status that the client gets for it.
 * A status of 0 means that there is nobody to answer: a programming error, or a peer out of step.
 * docs/errors.md says of each what it means and what to do.
 */
const STATUS = {
  FCGI_ERR_VERSION: 0,
  FCGI_ERR_RECORD: 0,
  FCGI_ERR_TRUNCATED: 0,
  FCGI_ERR_DUPLICATE_ID: 0,
  FCGI_ERR_PARAMS: 400,
  FCGI_ERR_PARAMS_TOO_LARGE: 431,
  FCGI_ERR_PARAMS_TOO_MANY: 431,
  FCGI_ERR_BAD_REQUEST: 400,
  FCGI_ERR_UNKNOWN_ROLE: 503,
  FCGI_ERR_OVERLOADED: 503,
  FCGI_ERR_REQUEST_TIMEOUT: 408,
  FCGI_ERR_BODY_TOO_LARGE: 413,
  FCGI_ERR_BODY_OVERRUN: 400,
  FCGI_ERR_BODY_UNDERRUN: 400,
  FCGI_ERR_BODY_TYPE: 415,
  FCGI_ERR_BODY_SYNTAX: 400,
  FCGI_ERR_BODY_VERIFY: 403,
  FCGI_ERR_BODY_USED: 500,
  FCGI_ERR_RESPONSE_OVERRUN: 0,
  FCGI_ERR_RESPONSE_UNDERRUN: 0,
  FCGI_ERR_RESPONSE_HEAD: 0,
  FCGI_ERR_NOT_ACCEPTABLE: 406,
  FCGI_ERR_FILE_PATH: 400,
  FCGI_ERR_FILE_FORBIDDEN: 403,
  FCGI_ERR_FILE_NOT_FOUND: 404,
  FCGI_ERR_CGI_OUTPUT: 500,
  FCGI_ERR_CGI_START: 500,
  FCGI_ERR_CGI_TIMEOUT: 504,
  FCGI_ERR_PROXY_FILE: 500,
  FCGI_ERR_PAGE_SYNTAX: 500,
  FCGI_ERR_PAGE_NOT_FOUND: 500,
  FCGI_ERR_PAGE_DEPTH: 500,
  FCGI_ERR_PAGE_CHANGING: 503,
  FCGI_ERR_CLIENT_CONNECT: 502,
  FCGI_ERR_CLIENT_CLOSED: 502,
  FCGI_ERR_CLIENT_PROTOCOL: 502,
  FCGI_ERR_CLIENT_UNKNOWN_ROLE: 502,
  FCGI_ERR_CLIENT_CANT_MPX_CONN: 502,
  FCGI_ERR_CLIENT_OVERLOADED: 503,
  FCGI_ERR_CLIENT_TIMEOUT: 504,
  FCGI_ERR_CLIENT_DESTROYED: 0,
  FCGI_ERR_ADDRESS: 0,
  FCGI_ERR_ADDRESS_IN_USE: 0,
  FCGI_ERR_OPTION: 0,
  FCGI_ERR_ROUTE_PATH: 0,
  FCGI_ERR_HANDLER: 0,
  FCGI_ERR_ARGUMENT: 0,
} as const;

export type FcgiErrorCode = keyof typeof STATUS;

/** An error with a stable `code`; see docs/errors.md. */
export class FcgiError extends Error {
  override name = 'FcgiError';
  /** Stable across versions; messages are not. */
  readonly code: FcgiErrorCode;
  /** The HTTP status for the client, 500 where the fault is not the client's. */
  readonly status: number;
  /** The same. An own property: http-errors sets it on whatever error it is given. */
  readonly statusCode: number;
  /** Whether the message may be shown to the client, as in http-errors. */
  readonly expose: boolean;

  constructor(code: FcgiErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.status = STATUS[code] || 500;
    this.statusCode = this.status;
    this.expose = this.status < 500;
  }
}

export const FCGI_ERROR_CODES = Object.keys(STATUS) as FcgiErrorCode[];

/** The one way this package makes an error. */
export function fcgiError(code: FcgiErrorCode, message: string, cause?: unknown): FcgiError {
  return new FcgiError(code, message, cause === undefined ? undefined : { cause });
}
