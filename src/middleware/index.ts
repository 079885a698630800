export type { CgiEnvironment } from './cgi/environment.ts';
export { type CgiMiddleware, type CgiOptions, cgi } from './cgi.ts';
export { type PagesOptions, pages } from './pages.ts';
