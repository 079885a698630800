// Clients choose the names by which something is remembered.
const MAX_ENTRIES = 10_000;
const MAX_NAME = 1000;

/** What was found under a name, for some milliseconds; what was not found is looked for again. */
export class Memory<T> {
  readonly #lifetime: number;
  readonly #entries = new Map<string, { at: number; value: T }>();

  /** @param lifetime In milliseconds; 0 to remember nothing. */
  constructor(lifetime: number) {
    this.#lifetime = lifetime;
  }

  get(name: string, find: (name: string) => T | undefined): T | undefined {
    if (this.#lifetime === 0 || name.length > MAX_NAME) return find(name);
    const now = performance.now();
    const known = this.#entries.get(name);
    if (known !== undefined && now - known.at < this.#lifetime) return known.value;
    const value = find(name);
    if (this.#entries.size >= MAX_ENTRIES) this.#entries.clear();
    if (value !== undefined) this.#entries.set(name, { at: now, value });
    return value;
  }
}
