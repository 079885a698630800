import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { unlink } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Form } from '../../core/body.ts';
import type { MultipartLimits } from './limits.ts';
import type { Part } from './part.ts';
import { readParts } from './parts.ts';
import type { TemporaryFolder } from './temporary-folder.ts';
import { UploadedFile } from './uploaded-file.ts';

/** On a request: the fields as they came. */
export const FIELDS: unique symbol = Symbol('fields');

export interface SpooledForm {
  /** The fields; it has no prototype. */
  body: Form;
  files: UploadedFile[];
  [FIELDS]: [name: string, value: string][];
}

/** Reads a form: its fields into memory, its files into the folder. Rejects as `readParts`, the file system, or the signal. */
export async function spool(
  req: IncomingMessage,
  folder: TemporaryFolder,
  limits: MultipartLimits,
  signal: AbortSignal,
): Promise<SpooledForm> {
  const form: SpooledForm = { body: Object.create(null), files: [], [FIELDS]: [] };
  for await (const part of readParts(req, limits)) {
    if (part.filename === undefined) {
      // Its limit is that of all fields together.
      const value = await part.text({ limit: Number.POSITIVE_INFINITY });
      add(form.body, part.name, value);
      form[FIELDS].push([part.name, value]);
    } else {
      const file = await write(part, await folder.path(), signal);
      if (file) form.files.push(file);
    }
  }
  signal.throwIfAborted();
  return form;
}

function add(body: Form, name: string, value: string): void {
  const before = body[name];
  if (before === undefined) body[name] = value;
  else if (Array.isArray(before)) before.push(value);
  else body[name] = [before, value];
}

/** Undefined where the client chose no file, for which browsers send one that is empty and has no name. */
async function write(part: Part, folder: string, signal: AbortSignal): Promise<UploadedFile | undefined> {
  const path = join(folder, randomUUID());
  const target = createWriteStream(path, { flags: 'wx', mode: 0o600 });
  await pipeline(part, target, { signal });
  const { bytesWritten } = target;
  if (bytesWritten > 0 || part.rawFilename) return new UploadedFile(part, path, bytesWritten);
  await unlink(path);
  return undefined;
}
