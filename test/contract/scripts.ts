import type { Scene } from './scene.ts';
import type { Visitor } from './visitor.ts';

// What clients do in more than one row.

/** More than any socket takes at once. */
export const LARGE = 8 * 1024 * 1024;

/** A body that comes in two pieces, the second when the first has been noted. */
export const PIECES = { length: 6 };
export async function inPieces(visitor: Visitor, { noted }: Scene) {
  visitor.ask(PIECES).write('abc');
  await noted('abc');
  return visitor.write('def').answer();
}

/** Asks, and waits for the answer and for what has been noted then. */
export const until =
  (last: unknown) =>
  async (visitor: Visitor, { noted }: Scene) => {
    const answer = await visitor.ask().answer();
    await noted(last);
    return answer;
  };
