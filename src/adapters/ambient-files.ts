import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { readNow } from '../core/body.ts';
import type { Surroundings } from './ambient.ts';

/** The names that a program's own file descriptors have as files. */
const DEVICES = ['stdin', 'stdout', 'stderr'].map((name, fd) => [
  `/dev/${name}`,
  `/dev/fd/${fd}`,
  `/proc/self/fd/${fd}`,
]);

/**
 * Has `fs`'s synchronous functions work on a request's stdin, stdout and stderr where a CGI program means these by their
 * file descriptors or devices. Everywhere else they do what they always do.
 *
 * @param current Gives the surroundings of the request that is running, if one is.
 */
export function replaceFiles(current: () => Surroundings | undefined): void {
  const { readFileSync, readSync, writeSync, writeFileSync, appendFileSync } = fs;
  const inputOf = (file: unknown) => (descriptorOf(file) === 0 ? current()?.stdin : undefined);
  const outputOf = (file: unknown, data: unknown) => {
    // What cannot be written is for `fs` to refuse.
    if (typeof data !== 'string' && !ArrayBuffer.isView(data)) return undefined;
    const fd = descriptorOf(file);
    return fd === 1 ? current()?.stdout : fd === 2 ? current()?.stderr : undefined;
  };
  const into =
    (write: typeof writeFileSync): typeof writeFileSync =>
    (file, data, options) => {
      const output = outputOf(file, data);
      if (output === undefined) write(file, data, options);
      else output.write(toBytes(data, encodingOf(options)));
    };

  Object.assign(fs, {
    readFileSync(file: unknown, options?: unknown) {
      const stdin = inputOf(file);
      if (stdin === undefined) return readFileSync(file as number, options as 'utf8');
      const encoding = encodingOf(options);
      const bytes = readNow(stdin);
      return encoding === undefined ? bytes : bytes.toString(encoding);
    },

    readSync(file: number, buffer: NodeJS.ArrayBufferView, ...range: unknown[]) {
      const stdin = inputOf(file);
      if (stdin === undefined) return readSync(file, buffer, ...(range as []));
      const target = within(viewOf(buffer), range);
      return readNow(stdin, target.length).copy(target);
    },

    writeSync(file: number, data: unknown, ...rest: unknown[]) {
      const output = outputOf(file, data);
      if (output === undefined) return writeSync(file, data as string, ...(rest as []));
      const bytes = typeof data === 'string' ? toBytes(data, rest[1]) : Buffer.from(within(viewOf(data), rest));
      output.write(bytes);
      return bytes.length;
    },

    writeFileSync: into(writeFileSync),
    appendFileSync: into(appendFileSync as typeof writeFileSync),
  });
  // Also for those who have imported them by name.
  syncBuiltinESMExports();
}

function descriptorOf(file: unknown): number {
  return typeof file === 'number' ? file : DEVICES.findIndex((names) => names.includes(file as string));
}

function encodingOf(options: unknown): BufferEncoding | undefined {
  const encoding = typeof options === 'string' ? options : (options as { encoding?: string | null } | null)?.encoding;
  return !encoding || encoding === 'buffer' ? undefined : (encoding as BufferEncoding);
}

/** The part of a buffer that arguments of `fs` mean: `(offset, length)` or `({ offset, length })`. */
function within(bytes: Buffer, [first, second]: unknown[]): Buffer {
  const range = typeof first === 'object' && first !== null ? first : { offset: first, length: second };
  const { offset, length } = range as { offset?: number | null; length?: number | null };
  const start = offset ?? 0;
  return bytes.subarray(start, start + (length ?? bytes.length));
}

/** A copy: its owner may use a buffer again. */
function toBytes(data: unknown, encoding: unknown): Buffer {
  return typeof data === 'string'
    ? Buffer.from(data, (encoding as BufferEncoding | null) ?? 'utf8')
    : Buffer.from(viewOf(data));
}

function viewOf(data: unknown): Buffer {
  const { buffer, byteOffset, byteLength } = data as NodeJS.ArrayBufferView;
  return Buffer.from(buffer, byteOffset, byteLength);
}
