// @ts-check
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import connector from 'fastcgi-client';

/** @param {boolean} mpxsConns */
export const over = (mpxsConns) => async (/** @type {string} */ path, /** @type {Record<string, string>} */ params) => {
  const client = connector({ sockFile: path, skipCheckServer: true, mpxsConns });
  await once(client, 'ready');
  const request = promisify(client.request);
  return async () => {
    const { stdin, stdout } = await request(params);
    stdin.end();
    // It leaves the head to its user.
    const answer = await text(stdout);
    return answer.slice(answer.indexOf('\r\n\r\n') + 4);
  };
};

export default over(false);
