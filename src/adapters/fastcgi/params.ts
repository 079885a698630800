import { PairReader, PairsCollector } from './pairs.ts';

/** What Apache's mod_proxy_fcgi puts before a path: `proxy:fcgi://127.0.0.1:9000/srv/www/page`. */
const APACHE_PREFIX = /^proxy:(?:fcgi|balancer):\/\/[^/]*/;

/** What is a path of a file, before which that may stand. */
const FILES = ['SCRIPT_FILENAME', 'PATH_TRANSLATED'];

/** The CGI parameters of one request: as they came, until somebody asks. */
export class Params extends PairsCollector {
  #object: Record<string, string> | undefined;

  /** One parameter as UTF-8, `''` if there is none of that name; of several, the last. */
  get(name: string): string {
    if (this.#object !== undefined) return this.#object[name] ?? '';
    const pairs = new PairReader(this.text);
    let value = '';
    while (pairs.next()) {
      if (pairs.isNamed(name)) value = pairs.utf8Value();
    }
    return FILES.includes(name) ? withoutPrefix(value) : value;
  }

  /** All of them, in an object without a prototype; of a name that comes twice, the last. */
  toObject(): Record<string, string> {
    if (this.#object !== undefined) return this.#object;
    const object: Record<string, string> = Object.create(null);
    const pairs = new PairReader(this.text);
    while (pairs.next()) object[pairs.name()] = pairs.utf8Value();
    for (const name of FILES) {
      if (object[name] !== undefined) object[name] = withoutPrefix(object[name]);
    }
    // CVE-2016-5385, "httpoxy".
    delete object.HTTP_PROXY;
    this.#object = object;
    return object;
  }
}

function withoutPrefix(path: string): string {
  return path.startsWith('proxy:') ? path.replace(APACHE_PREFIX, '') : path;
}
