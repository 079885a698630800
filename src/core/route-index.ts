import type { Token } from 'path-to-regexp';
import type { Layer } from './layer.ts';
import { type Path, type PathOptions, parsePath } from './path.ts';

/** Stands for a parameter within a segment. No request target has it. */
const PARAMETER = '\0';

/** A node of the tree of path segments. The lists hold layers' positions in the stack, ascending. */
interface Node {
  /** Children by segment, in upper case. */
  segments: Map<string, Node> | undefined;
  /** The child for any segment: patterns with a parameter in it. */
  any: Node | undefined;
  /** Layers whose pattern ends here. */
  exact: number[];
  /** Layers that may match whatever follows: mounts, wildcards, regular expressions. */
  open: number[];
}

/**
 * Which layers may match a path, found without a look at the others: a tree of path segments. It leaves out none that
 * matches, but may name some that do not, so that case, trailing slashes and the finer points of patterns stay the layer's affair.
 */
export class RouteIndex {
  /** As many layers as it was made of. */
  readonly size: number;
  private readonly root = createNode();
  private readonly everything: number[];

  constructor(layers: readonly Layer[]) {
    this.size = layers.length;
    this.everything = layers.map((_, position) => position);
    layers.forEach((layer, position) => {
      this.add(layer.path, layer.options, position);
    });
  }

  /** Lists of positions; `nextPosition` reads them in order. */
  find(path: string): number[][] {
    if (path[0] !== '/') return [this.everything];
    const lists: number[][] = [];
    collect(this.root, path.toUpperCase(), 1, lists);
    return lists;
  }

  private add(path: Path, options: PathOptions, position: number): void {
    if (typeof path === 'string') {
      if (path === '/' && !options.end) append(this.root.open, position);
      else for (const tokens of withoutGroups(parsePath(path, options))) this.addPattern(tokens, options.end, position);
    } else if (Array.isArray(path)) {
      for (const one of path) this.add(one, options, position);
    } else {
      append(this.root.open, position);
    }
  }

  private addPattern(tokens: Token[], end: boolean, position: number): void {
    const wildcard = tokens.findIndex((token) => token.type === 'wildcard');
    const known = wildcard === -1 ? tokens : tokens.slice(0, wildcard);
    const segments = known
      .map((token) => (token.type === 'text' ? token.value.toUpperCase() : PARAMETER))
      .join('')
      .split('/');
    let node = this.root;
    const rooted = segments.shift() === '';
    if (wildcard !== -1) segments.pop(); // The wildcard begins within it.
    if (rooted) for (const segment of segments) node = childFor(node, segment);
    append(rooted && end && wildcard === -1 ? node.exact : node.open, position);
  }
}

/** The first position after `position` in any of the lists, or Infinity. */
export function nextPosition(lists: number[][], position: number): number {
  let next = Number.POSITIVE_INFINITY;
  for (const list of lists) {
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (list[middle] > position) high = middle;
      else low = middle + 1;
    }
    if (low < list.length && list[low] < next) next = list[low];
  }
  return next;
}

function createNode(): Node {
  return { segments: undefined, any: undefined, exact: [], open: [] };
}

function childFor(node: Node, segment: string): Node {
  if (segment.includes(PARAMETER)) {
    node.any ??= createNode();
    return node.any;
  }
  node.segments ??= new Map();
  let child = node.segments.get(segment);
  if (child === undefined) {
    child = createNode();
    node.segments.set(segment, child);
  }
  return child;
}

// HOT. `start` is where the next segment begins; past the path's end when there is none.
function collect(node: Node, path: string, start: number, lists: number[][]): void {
  if (node.open.length > 0) lists.push(node.open);
  if (start >= path.length && node.exact.length > 0) lists.push(node.exact);
  if (start > path.length) return;
  let end = path.indexOf('/', start);
  if (end === -1) end = path.length;
  if (node.segments !== undefined) {
    const child = node.segments.get(path.slice(start, end));
    if (child !== undefined) collect(child, path, end + 1, lists);
  }
  if (node.any !== undefined && end > start) collect(node.any, path, end + 1, lists);
}

function append(list: number[], position: number): void {
  if (list.at(-1) !== position) list.push(position);
}

/** Every sequence of tokens a pattern stands for, with and without each of its groups. */
function withoutGroups(tokens: Token[]): Token[][] {
  let sequences: Token[][] = [[]];
  for (const token of tokens) {
    if (token.type !== 'group') for (const sequence of sequences) sequence.push(token);
    else {
      const inner = withoutGroups(token.tokens);
      sequences = sequences.flatMap((sequence) => [...inner.map((tokens) => [...sequence, ...tokens]), sequence]);
    }
  }
  return sequences;
}
