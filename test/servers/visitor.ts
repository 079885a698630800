export interface Visited {
  status: number;
  headers: Headers;
  text: string;
}

/** Somebody at a site, as a browser would have them: cookies are kept, redirects followed, forms sent with what is hidden in them. */
export class Visitor {
  readonly #origin: string;
  readonly #cookies = new Map<string, string>();

  constructor(origin: string) {
    this.#origin = origin;
  }

  /** Without waiting for the body. */
  async open(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set('Cookie', [...this.#cookies].map((pair) => pair.join('=')).join('; '));
    const answer = await fetch(this.#origin + path, { ...init, headers, redirect: 'manual' });
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]*)=([^;]*)/.exec(line) ?? [];
      this.#cookies.set(name, value);
    }
    return answer;
  }

  async get(path: string): Promise<Visited> {
    return this.#visit(await this.open(path));
  }

  /** Sends a form of a page: what is hidden in it, and these fields. With a file it is one of parts. */
  async send(path: string, fields: Record<string, string | File>, to = path): Promise<Visited> {
    const { text } = await this.get(path);
    const body = new FormData();
    const [, token = 'none'] = /name="token" value="(\w+)"/.exec(text) ?? [];
    for (const [name, value] of Object.entries({ token, ...fields })) body.append(name, value);
    const isParts = Object.values(fields).some((value) => value instanceof File);
    const form = isParts
      ? body
      : new URLSearchParams([...body].map(([name, value]): [string, string] => [name, String(value)]));
    return this.#visit(await this.open(to, { method: 'POST', body: form }));
  }

  async #visit(answer: Response): Promise<Visited> {
    const location = answer.headers.get('location');
    const text = await answer.text();
    if (location !== null) return this.get(location);
    return { status: answer.status, headers: answer.headers, text };
  }
}
