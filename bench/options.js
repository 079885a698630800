// @ts-check
import { parseArgs } from 'node:util';

/**
 * What the benchmarks beside run.js are told; null where they were asked for help, and gave it.
 *
 * @param {string} help
 */
export function readOptions(help) {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean', short: 'h' },
      short: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      write: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return null;
  }
  const rounds = Number(values.rounds ?? (values.short ? 4 : 10));
  const seconds = Number(values.seconds ?? (values.short ? 1 : 2));
  return { rounds, seconds, write: values.write };
}
