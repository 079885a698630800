/** The public names of `fcgi/client`. See docs/client.md. */
export type { AddressLike } from '../address.ts';
export type { Body } from './body.ts';
export { FcgiClient } from './client.ts';
export type { FetchInit } from './fetch.ts';
export type { ClientLimits, ClientOptions } from './options.ts';
export {
  type PhpFpmPingOptions,
  type PhpFpmProcess,
  type PhpFpmStatus,
  type PhpFpmStatusOptions,
  phpFpm,
} from './php-fpm.ts';
export type { Params, ParamValue, RequestOptions } from './request.ts';
export type { FcgiResponse, ResponseHeaders } from './response.ts';
export { type Upstream, type UpstreamOptions, upstream } from './upstream.ts';
export type { Values } from './values.ts';
