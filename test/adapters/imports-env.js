// @ts-check
/** Imported within a request for the first time, and nobody else has imported from node:process by then. */
import { env, stdout } from 'node:process';

export const look = () => ({ own: env.QUERY_STRING === undefined && stdout.constructor.name !== 'CgiOutput' });
