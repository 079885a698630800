// @ts-check
import { FcgiClient } from 'fcgi/client';

export default (
  /** @type {string} */ path,
  /** @type {Record<string, string>} */ params,
  /** @type {number} */ connections,
) => {
  const client = new FcgiClient({ path }, { keepAlive: true, connections });
  const headers = {
    'User-Agent': params.HTTP_USER_AGENT,
    Accept: params.HTTP_ACCEPT,
    'Accept-Language': params.HTTP_ACCEPT_LANGUAGE,
    'Accept-Encoding': params.HTTP_ACCEPT_ENCODING,
  };
  const url = `http://${params.HTTP_HOST}${params.REQUEST_URI}`;
  return async () => (await client.fetch(url, { root: params.DOCUMENT_ROOT, headers })).text();
};
