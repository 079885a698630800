export {
  type BodyParserOptions,
  type JsonOptions,
  json,
  raw,
  type TextOptions,
  text,
  type UrlencodedOptions,
  urlencoded,
} from './body.ts';
export type { CgiEnvironment } from './cgi/environment.ts';
export { type CgiMiddleware, type CgiOptions, cgi } from './cgi.ts';
export { type CookiesOptions, cookies } from './cookies.ts';
export type { FilesOffload, FilesOptions } from './files/options.ts';
export { files } from './files.ts';
export type { MultipartLimits } from './multipart/limits.ts';
export type { Part } from './multipart/part.ts';
export type { Progress } from './multipart/parts.ts';
export type { UploadedFile } from './multipart/uploaded-file.ts';
export { type MultipartOptions, multipart } from './multipart.ts';
export { type PagesOptions, pages } from './pages.ts';
export type { ProxyOptions } from './proxy/options.ts';
export { type ProxyMiddleware, proxy } from './proxy.ts';
