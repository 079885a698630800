// @ts-check
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

const RESULTS = new URL('RESULTS.md', import.meta.url);

/** What is measured has one core to itself, all else shares another, where the system lets us choose. */
export function pins() {
  if (availableParallelism() < 2 || spawnSync('taskset', ['-V']).error) return [[], []];
  return [
    ['taskset', '-c', '0'],
    ['taskset', '-c', '1'],
  ];
}

/**
 * The order of one round: turned by one, and backwards every other time, so that whatever drifts meets everyone at every
 * place.
 *
 * @template T
 * @param {T[]} contestants @param {number} round
 */
export function orderOf(contestants, round) {
  const turn = round % contestants.length;
  const order = [...contestants.slice(turn), ...contestants.slice(0, turn)];
  return round % 2 === 1 ? order.reverse() : order;
}

/**
 * A table of costs relative to the first one's.
 *
 * @param {Map<{ title: string }, number[]>} costs µs per request, one for each round
 */
export function tableOf(costs) {
  const [base] = costs.values();
  const rows = [...costs].map(([contestant, own]) => {
    // Paired: each round's cost by the same round's base, so that what slows both cancels out.
    const ratios = own.map((cost, round) => cost / base[round]).sort((a, b) => a - b);
    const [low, middle, high] = [ratios[0], median(ratios), ratios[ratios.length - 1]].map((ratio) => ratio.toFixed(2));
    return [contestant.title, middle, `${low} – ${high}`, median([...own].sort((a, b) => a - b)).toFixed(1)];
  });
  return markdown([['', 'median ratio', 'min – max', 'CPU µs, this machine'], ...rows]);
}

/**
 * Puts a section into bench/RESULTS.md, in the place of the one with the same heading.
 *
 * @param {string} heading @param {string} text
 */
export function writeSection(heading, text) {
  const section = `## ${heading}\n\n${text}\n`;
  const sections = readFileSync(RESULTS, 'utf8').split(/^(?=## )/m);
  const index = sections.findIndex((each) => each.startsWith(`## ${heading}\n`));
  if (index === -1) sections.push(section);
  else sections[index] = section;
  writeFileSync(RESULTS, `${sections.map((each) => each.trimEnd()).join('\n\n')}\n`);
}

/**
 * A table whose columns are aligned in the source, too; all but the first to the right.
 *
 * @param {string[][]} rows the first is the head
 */
function markdown([head, ...rows]) {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)));
  const line = (/** @type {string[]} */ cells) =>
    `| ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join(' | ')} |`;
  const rule = widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [head, rule, ...rows].map(line).join('\n');
}

/** @param {number[]} sorted */
function median(sorted) {
  const middle = sorted.length / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle) - 1]) / 2;
}
