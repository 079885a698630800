import { constants } from 'node:fs';
import { copyFile, link, rm } from 'node:fs/promises';
import type { Part } from './part.ts';

/** A file of a form that was spooled; it is gone when the response closes, unless it was moved. */
export class UploadedFile {
  /** The name of the form's field. */
  readonly name: string;
  /** What the client calls it, made fit to be a file's name. */
  readonly filename: string;
  /** The same as it was sent: to be shown, and never to be a path. */
  readonly rawFilename: string | undefined;
  /** The media type that the client says it is; nobody has looked. */
  readonly type: string;
  /** In bytes. */
  readonly size: number;
  /** Where it is. */
  path: string;

  constructor(part: Part, path: string, size: number) {
    this.name = part.name;
    this.filename = part.filename!;
    this.rawFilename = part.rawFilename;
    this.type = part.type;
    this.size = size;
    this.path = path;
  }

  /**
   * Keeps it at another path, also on another file system. Its mode stays 0600.
   *
   * Rejects as the file system does, and with `EEXIST` if there is a file already: nothing is overwritten.
   */
  async moveTo(path: string): Promise<void> {
    try {
      await link(this.path, path);
    } catch (error) {
      // Another file system, or one without links.
      if (!['EXDEV', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes((error as NodeJS.ErrnoException).code!))
        throw error;
      await copy(this.path, path);
    }
    // Its folder may be gone already: the response has closed.
    await rm(this.path, { force: true });
    this.path = path;
  }
}

async function copy(from: string, to: string): Promise<void> {
  try {
    await copyFile(from, to, constants.COPYFILE_EXCL);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') await rm(to, { force: true });
    throw error;
  }
}
