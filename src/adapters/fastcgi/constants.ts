/**
 * The numbers of the FastCGI specification 1.0 (section 8), under its names.
 */

/** The one version of the protocol there is; the first byte of every record. */
export const FCGI_VERSION_1 = 1;
/** Bytes of a record's header. */
export const FCGI_HEADER_LEN = 8;
/** The most content bytes that a record can carry. */
export const FCGI_MAX_LENGTH = 0xffff;
/** The request id of management records. */
export const FCGI_NULL_REQUEST_ID = 0;

/** Record types (section 3.3). 1 to 8 belong to a request; 4 to 8 are streams; 9 to 11 manage the connection. */
export const FCGI_BEGIN_REQUEST = 1;
export const FCGI_ABORT_REQUEST = 2;
export const FCGI_END_REQUEST = 3;
export const FCGI_PARAMS = 4;
export const FCGI_STDIN = 5;
export const FCGI_STDOUT = 6;
export const FCGI_STDERR = 7;
export const FCGI_DATA = 8;
export const FCGI_GET_VALUES = 9;
export const FCGI_GET_VALUES_RESULT = 10;
export const FCGI_UNKNOWN_TYPE = 11;
export const FCGI_MAXTYPE = FCGI_UNKNOWN_TYPE;

/** The flag of FCGI_BEGIN_REQUEST by which the web server keeps the connection for further requests (section 5.1). */
export const FCGI_KEEP_CONN = 1;

/** Roles of FCGI_BEGIN_REQUEST (section 6). */
export const FCGI_RESPONDER = 1;
export const FCGI_AUTHORIZER = 2;
export const FCGI_FILTER = 3;

/** Protocol statuses of FCGI_END_REQUEST (section 5.5). */
export const FCGI_REQUEST_COMPLETE = 0;
export const FCGI_CANT_MPX_CONN = 1;
export const FCGI_OVERLOADED = 2;
export const FCGI_UNKNOWN_ROLE = 3;

/** The variables that FCGI_GET_VALUES may ask for (section 4.1). */
export const FCGI_MAX_CONNS = 'FCGI_MAX_CONNS';
export const FCGI_MAX_REQS = 'FCGI_MAX_REQS';
export const FCGI_MPXS_CONNS = 'FCGI_MPXS_CONNS';
