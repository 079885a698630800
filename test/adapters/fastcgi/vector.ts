import { readdirSync, readFileSync } from 'node:fs';
import { TYPES } from './recorder.ts';

/** A file of test/vectors, whose README says how they are written. */
export interface Vector {
  name: string;
  bytes: Buffer;
  /** Whether the peer closes after its bytes. */
  closes: boolean;
  /** The events that a Recorder must note. */
  events: string[];
}

const DIRECTORY = new URL('../../vectors/', import.meta.url);

/** The names of the specification that stand for numbers, without their FCGI_. */
const NUMBERS: Record<string, number> = {
  RESPONDER: 1,
  AUTHORIZER: 2,
  FILTER: 3,
  KEEP_CONN: 1,
  REQUEST_COMPLETE: 0,
  CANT_MPX_CONN: 1,
  OVERLOADED: 2,
  UNKNOWN_ROLE: 3,
};

export function readVectors(): Vector[] {
  const names = readdirSync(DIRECTORY).filter((name) => name.endsWith('.txt'));
  return names.sort().map((name) => parse(name, readFileSync(new URL(name, DIRECTORY), 'utf8')));
}

interface Line {
  word: string;
  attributes: Record<string, number>;
  content: Buffer;
  pairs: [Buffer, Buffer][];
}

function parse(name: string, text: string): Vector {
  const [sent, told] = text.split(/^---$/m).map(readLines);
  return {
    name,
    bytes: Buffer.concat(sent!.map(toBytes)),
    closes: sent!.some(({ word }) => word === 'close'),
    events: told!.map(toEvent),
  };
}

function readLines(text: string): Line[] {
  const lines: Line[] = [];
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const [, name, value = ''] = /^ {2}(.*?) ?=(?: (.*))?$/.exec(line) ?? [];
    if (name !== undefined) {
      lines.at(-1)!.pairs.push([readContent(name), readContent(value)]);
      continue;
    }
    const [, word, attributes, content] = /^(\S+)((?: [a-z]+=\w+)*)(?: (.*))?$/.exec(line)!;
    lines.push({
      word: word!,
      attributes: readAttributes(attributes!),
      content: readContent(content ?? ''),
      pairs: [],
    });
  }
  return lines;
}

function readAttributes(text: string): Record<string, number> {
  const attributes: Record<string, number> = {};
  for (const [, key, value] of text.matchAll(/ (\w+)=(\w+)/g)) attributes[key!] = NUMBERS[value!] ?? Number(value);
  return attributes;
}

/** `"text"`, `"text" * 3`, several of these joined by ` + `, `<01 02 ff>`, or anything else as it stands. */
function readContent(text: string): Buffer {
  const [, hex] = /^<([\da-f ]*)>$/.exec(text) ?? [];
  if (hex !== undefined) return Buffer.from(hex.replaceAll(' ', ''), 'hex');
  if (!text.startsWith('"')) return Buffer.from(text);
  const terms = text.matchAll(/("(?:[^"\\]|\\.)*")(?: \* (\d+))?(?: \+ |$)/g);
  return Buffer.from(Array.from(terms, ([, quoted, times]) => JSON.parse(quoted!).repeat(times ?? 1)).join(''));
}

/** Encodes by the specification alone, and not by what is to be tested. */
function toBytes(line: Line): Buffer {
  const { word, attributes } = line;
  if (word === 'close') return Buffer.alloc(0);
  if (word === 'bytes') return line.content;
  const content = toContent(line);
  const size = attributes.split ?? Math.max(content.length, 1);
  const records: Buffer[] = [];
  let start = 0;
  do {
    const piece = content.subarray(start, start + size);
    const {
      version = 1,
      type = TYPES.indexOf(word),
      id = 0,
      length = piece.length,
      padding = 0,
      reserved = 0,
    } = attributes;
    records.push(
      Buffer.from([version, type, id >> 8, id & 255, length >> 8, length & 255, padding, reserved]),
      piece,
      Buffer.alloc(padding, 0xaa),
    );
    start += size;
  } while (start < content.length);
  return Buffer.concat(records);
}

function toContent({ word, attributes, content, pairs }: Line): Buffer {
  const { role = 0, flags = 0, app = 0, status = 0, unknown = 0 } = attributes;
  if (content.length > 0) return content;
  switch (word) {
    case 'BEGIN_REQUEST':
      return Buffer.from([role >> 8, role & 255, flags, 0, 0, 0, 0, 0]);
    case 'END_REQUEST':
      return Buffer.from([app >>> 24, (app >> 16) & 255, (app >> 8) & 255, app & 255, status, 0, 0, 0]);
    case 'UNKNOWN_TYPE':
      return Buffer.from([unknown, 0, 0, 0, 0, 0, 0, 0]);
    default:
      return Buffer.concat(pairs.flatMap(([name, value]) => [toLength(name), toLength(value), name, value]));
  }
}

function toLength({ length }: Buffer): Buffer {
  if (length < 128) return Buffer.from([length]);
  return Buffer.from([0x80 | (length >> 24), (length >> 16) & 255, (length >> 8) & 255, length & 255]);
}

function toEvent({ word, attributes, content, pairs }: Line): string {
  let event = word;
  for (const key in attributes) event += ` ${key}=${attributes[key]}`;
  if (content.length > 0) event += ` ${content.toString('latin1')}`;
  for (const [name, value] of pairs) event += `\n  ${name.toString('latin1')} = ${value.toString('latin1')}`;
  return event;
}
