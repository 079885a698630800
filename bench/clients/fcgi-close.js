// @ts-check
import { text } from 'node:stream/consumers';
import { FcgiClient } from 'fcgi/client';

export default (
  /** @type {string} */ path,
  /** @type {Record<string, string>} */ params,
  /** @type {number} */ connections,
) => {
  const client = new FcgiClient({ path }, { connections });
  return async () => text((await client.request(params)).stdout);
};
