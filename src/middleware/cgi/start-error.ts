import { open } from 'node:fs/promises';
import { type FcgiError, fcgiError } from '../../core/errors.ts';

/** Binaries of Linux and macOS, as latin1. */
const BINARIES = ['\x7fELF', '\xcf\xfa\xed\xfe', '\xce\xfa\xed\xfe', '\xca\xfe\xba\xbe'];

/**
 * Looks whether a file is a program, and gives a script's interpreter, undefined for any other program. The system
 * would have anything else read by sh, line by line, as if the executable bit alone made it a script.
 *
 * Rejects with FCGI_ERR_CGI_START.
 */
export async function checkFormat(file: string): Promise<string | undefined> {
  const start = await readStart(file);
  // A program that may be run need not be readable.
  if (start === undefined || BINARIES.some((magic) => start.startsWith(magic))) return undefined;
  const [, interpreter] = /^#![ \t]*([^ \t\n]+)/.exec(start) ?? [];
  if (interpreter === undefined) {
    throw fcgiError(
      'FCGI_ERR_CGI_START',
      `${file} is neither a binary, nor does it begin with '#!' and an interpreter`,
    );
  }
  return interpreter;
}

async function readStart(file: string): Promise<string | undefined> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(file);
  } catch {
    return undefined;
  }
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(256), 0, 256, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** Of a program that could not be started; docs/errors.md says what to do. */
export function startError(file: string, interpreter: string | undefined, error: NodeJS.ErrnoException): FcgiError {
  switch (error.code) {
    case 'E2BIG':
      return fcgiError('FCGI_ERR_PARAMS_TOO_LARGE', `The headers are too large for the environment of ${file}`, error);
    case 'EAGAIN':
    case 'EMFILE':
    case 'ENFILE':
    case 'ENOMEM':
      return fcgiError('FCGI_ERR_OVERLOADED', `${file} cannot be started now: ${error.code}`, error);
    case 'ENOENT':
      if (interpreter === undefined) break;
      // Quoted as JSON: often it is a CR at the end of it that nobody sees.
      return fcgiError(
        'FCGI_ERR_CGI_START',
        `${file} wants ${JSON.stringify(interpreter)}, which does not exist`,
        error,
      );
    case 'EACCES':
      if (interpreter === undefined) break;
      return fcgiError('FCGI_ERR_CGI_START', `${file} or ${JSON.stringify(interpreter)} may not be executed`, error);
  }
  return fcgiError('FCGI_ERR_CGI_START', `${file} cannot be started: ${error.message}`, error);
}
