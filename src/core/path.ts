import { type Keys, parse, pathToRegexp, type Token, TokenData } from 'path-to-regexp';
import { fcgiError } from './errors.ts';

/** A route's path: a path-to-regexp 8 pattern, a regular expression, or several of them. */
export type Path = string | RegExp | readonly Path[];

/**
 * The parameters of a path, by name: `'/users/:id'` has `{ id: string }`, `'/files/*path'` `{ path: string[] }`, and what
 * stands in braces is optional. Of a path that is not known when compiling, any name may be there.
 */
export type RouteParams<P extends string> = string extends P
  ? Record<string, string | string[]>
  : { [Name in keyof Scan<P>]: Scan<P>[Name] };

type Letter = Lower | Uppercase<Lower> | '0' | '1' | '2' | '3' | '4' | '5' | '6' | '7' | '8' | '9' | '_' | '$';
// biome-ignore format: an alphabet
type Lower = 'a' | 'b' | 'c' | 'd' | 'e' | 'f' | 'g' | 'h' | 'i' | 'j' | 'k' | 'l' | 'm' | 'n' | 'o' | 'p' | 'q' | 'r' | 's' | 't' | 'u' | 'v' | 'w' | 'x' | 'y' | 'z';

/** Reads a pattern character by character; `Braces` has as many elements as braces are open. */
type Scan<P extends string, Braces extends unknown[] = [], Found = unknown> = P extends `\\${infer Rest}`
  ? Scan<Rest extends `${string}${infer After}` ? After : '', Braces, Found>
  : P extends `:${infer Rest}`
    ? ScanName<Rest, Braces, Found, string>
    : P extends `*${infer Rest}`
      ? ScanName<Rest, Braces, Found, string[]>
      : P extends `{${infer Rest}`
        ? Scan<Rest, [...Braces, unknown], Found>
        : P extends `}${infer Rest}`
          ? Scan<Rest, Braces extends [unknown, ...infer Outer] ? Outer : [], Found>
          : P extends `${string}${infer Rest}`
            ? Scan<Rest, Braces, Found>
            : Found;

type ScanName<P extends string, Braces extends unknown[], Found, Value> = P extends `"${infer Name}"${infer Rest}`
  ? Scan<Rest, Braces, Found & Param<Name, Braces, Value>>
  : TakeName<P> extends [infer Name extends string, infer Rest extends string]
    ? Scan<Rest, Braces, Found & Param<Name, Braces, Value>>
    : never;

type TakeName<P extends string, Name extends string = ''> = P extends `${infer First}${infer Rest}`
  ? First extends Letter
    ? TakeName<Rest, `${Name}${First}`>
    : [Name, P]
  : [Name, P];

type Param<Name extends string, Braces extends unknown[], Value> = Braces extends []
  ? { [K in Name]: Value }
  : { [K in Name]?: Value };

/** What a path matched: the part of the path it stands for, and its parameters, decoded. */
export interface Match {
  path: string;
  params: Record<string, string | string[]>;
}

/** Throws an error of status 400 where a parameter is not valid percent-encoding. */
export type Matcher = (path: string) => Match | undefined;

export interface PathOptions {
  /** Whether `/Users` differs from `/users`. */
  sensitive: boolean;
  /** Whether `/users/` differs from `/users`. */
  strict: boolean;
  /** Whether the whole path has to match (a route), or only its first segments (a mount). */
  end: boolean;
}

/** Makes a path's matcher. Throws `FCGI_ERR_ROUTE_PATH` for what is not a pattern, saying what to write. */
export function compilePath(path: Path, options: PathOptions): Matcher {
  if (path instanceof RegExp) return matchRegExp(path);
  if (Array.isArray(path)) {
    const matchers = path.map((one: Path) => compilePath(one, options));
    return matchers.length === 1 ? matchers[0] : (input) => firstMatch(matchers, input);
  }
  if (typeof path !== 'string') {
    throw fcgiError('FCGI_ERR_ROUTE_PATH', `A route path is a string, a RegExp or an array of them, not ${path}`);
  }
  if (path === '/' && !options.end) return matchAll;
  try {
    const tokens = parsePath(path, options);
    const { sensitive, end, strict } = options;
    const { regexp, keys } = pathToRegexp(new TokenData(tokens, path), { sensitive, end, trailing: !strict });
    const [token] = tokens;
    if (tokens.length !== 1 || token.type !== 'text') return matchPattern(regexp, keys);
    return options.end ? matchText(token.value, regexp) : matchPrefix(token.value, regexp);
  } catch (error) {
    throw fcgiError('FCGI_ERR_ROUTE_PATH', adviseOn(path, error), error);
  }
}

/** A pattern's tokens, without the slashes at its end, which count only where `strict`. */
export function parsePath(path: string, options: PathOptions): Token[] {
  return parse(options.strict || path === '/' ? path : path.replace(/\/+$/, '')).tokens;
}

/** HOT: the path of a request's target: up to `?` or `#`, without scheme and host; `undefined` where there is none. */
export function pathOf(url: string | undefined, origin: string): string | undefined {
  if (url === undefined) return undefined;
  let end = url.indexOf('?', origin.length);
  const hash = url.indexOf('#', origin.length);
  if (end === -1 || (hash !== -1 && hash < end)) end = hash;
  if (end === -1) end = url.length;
  if (end > origin.length) return end === url.length && origin === '' ? url : url.slice(origin.length, end);
  return origin === '' ? undefined : '/';
}

/** Scheme and host of a target in absolute form (RFC 9112, 3.2.2), else the empty string. */
export function originOf(url: string | undefined): string {
  if (url === undefined || url.charCodeAt(0) === SLASH) return '';
  return /^[^?#/]*:\/\/[^?#/]*/.exec(url)?.[0] ?? '';
}

const SLASH = 0x2f;

/**
 * Inherits nothing, so that a name finds only what was in the path; a class, because an object of Object.create(null)
 * costs three times as much.
 */
class Params {
  [name: string]: string | string[];
}
Object.setPrototypeOf(Params.prototype, null);
Reflect.deleteProperty(Params.prototype, 'constructor');

function matchAll(): Match {
  return { path: '', params: new Params() };
}

function firstMatch(matchers: Matcher[], input: string): Match | undefined {
  for (const matcher of matchers) {
    const match = matcher(input);
    if (match !== undefined) return match;
  }
  return undefined;
}

// Only a path of the same length, or one slash longer, can differ from the text by case or by that slash.
function matchText(text: string, regexp: RegExp): Matcher {
  return (input) => {
    const longer = input.length - text.length;
    if (input !== text && ((longer !== 0 && longer !== 1) || !regexp.test(input))) return undefined;
    return { path: input, params: new Params() };
  };
}

function matchPrefix(text: string, regexp: RegExp): Matcher {
  return (input) => {
    if (input.length < text.length) return undefined;
    const boundary = input.length === text.length || input.charCodeAt(text.length) === SLASH;
    if (boundary && input.startsWith(text)) return { path: text, params: new Params() };
    const found = regexp.exec(input);
    return found === null ? undefined : { path: found[0], params: new Params() };
  };
}

function matchPattern(regexp: RegExp, keys: Keys): Matcher {
  return (input) => {
    const found = regexp.exec(input);
    if (found === null) return undefined;
    const params = new Params();
    for (let i = 0; i < keys.length; i++) {
      const value = found[i + 1];
      if (value === undefined) continue;
      params[keys[i].name] = keys[i].type === 'param' ? decode(value) : value.split('/').map(decode);
    }
    return { path: found[0], params };
  };
}

/** Groups without a name are numbered from 0. */
function matchRegExp(regexp: RegExp): Matcher {
  const names: (string | number)[] = [];
  let unnamed = 0;
  for (const [token, name] of regexp.source.matchAll(/\\.|\[(?:\\.|[^\]])*\]|\((?:\?<([^=!>][^>]*)>|(?!\?))/g)) {
    if (token.startsWith('(')) names.push(name ?? unnamed++);
  }
  return (input) => {
    regexp.lastIndex = 0; // A regular expression with the flag g or y begins where it last ended.
    const found = regexp.exec(input);
    if (found === null) return undefined;
    const params = new Params();
    for (let i = 0; i < names.length; i++) {
      const value = found[i + 1];
      if (value !== undefined) params[names[i]] = decode(value);
    }
    return { path: found[0], params };
  };
}

function decode(value: string): string {
  if (!value.includes('%')) return value;
  try {
    return decodeURIComponent(value);
  } catch (error) {
    throw fcgiError('FCGI_ERR_BAD_REQUEST', `Failed to decode param '${value}'`, error);
  }
}

/** What Express 4 understood and path-to-regexp 8 does not, and what it is written as now. */
const REWRITES: [pattern: RegExp, replacement: string, explanation: string][] = [
  [/\/:(\w+)\(\.\*\)/g, '/*$1', 'a parameter over several segments is a wildcard'],
  [/:(\w+)\([^)]*\)/g, ':$1', 'a parameter takes no regular expression: check its value, or give a RegExp as the path'],
  [/\/:(\w+)\?/g, '{/:$1}', 'an optional parameter stands in braces'],
  [/:(\w+)\?/g, '{:$1}', 'an optional parameter stands in braces'],
  [/\/:(\w+)\*/g, '{/*$1}', 'a parameter over several segments is a wildcard'],
  [/\/:(\w+)\+/g, '/*$1', 'a parameter over several segments is a wildcard'],
  [/^(\*|\(\.\*\))$/g, '/{*rest}', 'a wildcard has a name'],
  [/\/(\*|\(\.\*\))(?![\w$"])/g, '/*rest', 'a wildcard has a name; /{*rest} matches / too'],
  [/(\*|\(\.\*\))(?![\w$"])/g, '*rest', 'a wildcard has a name'],
  [/([^}/)])\?/g, '{$1}', 'what is optional stands in braces'],
];

function adviseOn(path: string, error: unknown): string {
  let written = path;
  const explanations = new Set<string>();
  for (const [pattern, replacement, explanation] of REWRITES) {
    const rewritten = written.replace(pattern, replacement);
    if (rewritten !== written) explanations.add(explanation);
    written = rewritten;
  }
  const fault = (error as Error).message.replace(/; visit .*$/s, '');
  try {
    pathToRegexp(written);
  } catch {
    return `${fault}. Write \\ before a character that is meant as it stands, or give a RegExp as the path`;
  }
  return `${fault}. Write '${written}' instead: ${[...explanations].join('; ')}`;
}
