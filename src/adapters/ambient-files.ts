import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { readNow } from '../core/body.ts';
import type { Surroundings } from './ambient.ts';

const DEVICES = ['/dev/stdin', '/dev/stdout', '/dev/stderr'];

/**
 * Has `fs`'s synchronous functions work on a request's stdin, stdout and stderr where a CGI program means these by their
 * file descriptors or devices. Everywhere else they do what they always do.
 *
 * @param current Gives the surroundings of the request that is running, if one is.
 */
export function installFiles(current: () => Surroundings | undefined): void {
  const { readFileSync, readSync, writeSync, writeFileSync, appendFileSync } = fs;
  const around = (file: unknown) => {
    const fd = typeof file === 'string' ? DEVICES.indexOf(file) : file;
    return fd === 0 || fd === 1 || fd === 2 ? { fd, streams: current() } : undefined;
  };
  const inputOf = (file: unknown) => {
    const found = around(file);
    return found?.fd === 0 ? found.streams?.stdin : undefined;
  };
  const outputOf = (file: unknown) => {
    const found = around(file);
    return found?.fd === 0 ? undefined : found?.fd === 1 ? found.streams?.stdout : found?.streams?.stderr;
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
      const target = within(toBytes(buffer), range);
      return readNow(stdin, target.length).copy(target);
    },

    writeSync(file: number, data: unknown, ...rest: unknown[]) {
      const output = outputOf(file);
      if (output === undefined) return writeSync(file, data as string, ...(rest as []));
      const bytes = typeof data === 'string' ? toBytes(data, rest[1]) : within(toBytes(data), rest);
      // A copy: its owner may use it again.
      output.write(Buffer.from(bytes));
      return bytes.length;
    },

    writeFileSync(file: unknown, data: unknown, options?: unknown) {
      const output = outputOf(file);
      if (output === undefined) writeFileSync(file as number, data as string, options as 'utf8');
      else output.write(Buffer.from(toBytes(data, encodingOf(options))));
    },

    appendFileSync(file: unknown, data: unknown, options?: unknown) {
      const output = outputOf(file);
      if (output === undefined) appendFileSync(file as number, data as string, options as 'utf8');
      else output.write(Buffer.from(toBytes(data, encodingOf(options))));
    },
  });
  // Also for those who have imported them by name.
  syncBuiltinESMExports();
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

function toBytes(data: unknown, encoding?: unknown): Buffer {
  if (ArrayBuffer.isView(data)) return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return Buffer.from(String(data), (encoding as BufferEncoding | null) ?? 'utf8');
}
