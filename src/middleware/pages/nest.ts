import { fcgiError } from '../../core/errors.ts';

/** What PHP makes of `a[]=1&b[k]=2`: text, lists of `[]`, and objects without a prototype. */
export type Nested = string | Nested[] | { [name: string]: Nested };
export type Variables = { [name: string]: Nested };

/** As PHP's `max_input_nesting_level`. */
const MAX_DEPTH = 64;

/**
 * Nests names as PHP does: the last of a name counts, `[]` appends, `[key]` is a name inside.
 *
 * @param max How many there may be, as PHP's `max_input_vars`.
 * @throws FcgiError FCGI_ERR_BODY_SYNTAX: there are more, or they nest deeper than 64.
 */
export function nest(pairs: Iterable<readonly [name: string, value: string]>, max: number): Variables {
  const all = withoutPrototype();
  let count = 0;
  for (const [name, value] of pairs) {
    count += 1;
    if (count > max) throw fcgiError('FCGI_ERR_BODY_SYNTAX', `more than ${max} variables were sent`);
    // Most names have no brackets.
    if (name.includes('[')) put(all, pathOf(name), value);
    else if (name !== '') all[name] = value;
  }
  return all;
}

/** Not by `Object.create(null)`: to add the first property to what that gives costs V8 more than all else here. */
function withoutPrototype(): Variables {
  return Object.setPrototypeOf({}, null);
}

/** `a[b][]` is `a`, `b` and an empty one; what follows the brackets is dropped, and a bracket that is not closed is none. */
function pathOf(name: string): string[] {
  const [, base = name, keys = ''] = /^([^[]+)((?:\[[^\]]*\])+)/.exec(name) ?? [];
  const path = [base, ...Array.from(keys.matchAll(/\[([^\]]*)\]/g), ([, key]) => key!)];
  if (path.length > MAX_DEPTH) throw fcgiError('FCGI_ERR_BODY_SYNTAX', `a variable nests deeper than ${MAX_DEPTH}`);
  return path;
}

function put(all: Variables, path: string[], value: string): void {
  let place: Place = { of: all, key: path[0]! };
  for (const key of path.slice(1)) place = inside(place, key);
  set(place, value);
}

/** A number as PHP has it among keys: `00` is none. */
const INDEX = /^(0|[1-9]\d{0,14})$/;

interface Place {
  of: Variables | Nested[];
  key: string | number;
}

/** A place in what is at a place: a list for as long as it is only appended to. */
function inside(place: Place, key: string): Place {
  let held = get(place);
  if (typeof held !== 'object') {
    held = key === '' || key === '0' ? [] : withoutPrototype();
    set(place, held as Nested);
  }
  if (!Array.isArray(held)) return { of: held as Variables, key: key === '' ? nextIndex(held as Variables) : key };
  if (key === '' || key === String(held.length)) return { of: held, key: held.length };
  if (INDEX.test(key) && Number(key) < held.length) return { of: held, key: Number(key) };
  const object = Object.assign(withoutPrototype(), held);
  set(place, object);
  return { of: object, key };
}

function get({ of, key }: Place): Nested | undefined {
  return (of as Variables)[key];
}

function set({ of, key }: Place, value: Nested): void {
  (of as Variables)[key] = value;
}

function nextIndex(object: Variables): string {
  const indices = Object.keys(object).filter((key) => INDEX.test(key));
  return String(indices.reduce((most, key) => Math.max(most, Number(key) + 1), 0));
}
