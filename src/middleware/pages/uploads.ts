import type { Request } from '../../core/request.ts';
import { UploadedFile } from '../multipart/uploaded-file.ts';
import { type Nested, nest } from './nest.ts';

/** A file of a form, by PHP's names. */
export interface PhpFile {
  /** What the client calls it, made fit to be a file's name. */
  name: string;
  /** The same as it was sent: to be shown, and never to be a path. */
  full_path: string;
  /** The media type that the client says it is; nobody has looked. */
  type: string;
  /** Where it is, until the response closes. */
  tmp_name: string;
  /** Always UPLOAD_ERR_OK: what was not chosen is not there, and what is too large refuses the form. */
  error: 0;
  /** In bytes. */
  size: number;
}

export type NestedFiles = PhpFile | NestedFiles[] | { [name: string]: NestedFiles };

/** What `multipart()` has made of a form; other middleware has files of its own kind. */
export function uploadedFiles({ files }: Request): UploadedFile[] {
  return Array.isArray(files) ? files.filter((file) => file instanceof UploadedFile) : [];
}

/** Files by the names of their fields, as `nest` nests these. It has no prototype. */
export function nestFiles(files: readonly UploadedFile[], max: number): Record<string, NestedFiles> {
  const places = nest(
    files.map(({ name }, index) => [name, String(index)]),
    max,
  );
  const fill = (place: Nested): NestedFiles => {
    if (typeof place === 'string') return phpFile(files[Number(place)]!);
    if (Array.isArray(place)) return place.map(fill);
    const filled: Record<string, NestedFiles> = Object.create(null);
    for (const [name, inner] of Object.entries(place)) filled[name] = fill(inner);
    return filled;
  };
  return fill(places) as Record<string, NestedFiles>;
}

function phpFile({ filename, rawFilename, type, path, size }: UploadedFile): PhpFile {
  const file: PhpFile = { name: filename, full_path: rawFilename ?? filename, type, tmp_name: path, error: 0, size };
  return Object.assign(Object.create(null), file);
}

/** False for what is none of the files, or no longer. Rejects as `moveTo`: nothing is overwritten. */
export async function moveUploadedFile(files: readonly UploadedFile[], from: string, to: string): Promise<boolean> {
  const file = files.find(({ path }) => path === from);
  await file?.moveTo(to);
  return file !== undefined;
}
