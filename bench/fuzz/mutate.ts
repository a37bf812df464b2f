import type { Random } from '@portolan/core';
import { FIELDS, FRAMING, SIZES } from './message-parts.ts';

const ODD_BYTES = [
  '\r',
  '\n',
  '\0',
  ' ',
  '\t',
  ':',
  ';',
  ',',
  '"',
  '\x0b',
  '\x0c',
  '\x1f',
  '\x7f',
  '\x80',
  '\x85',
  '\xa0',
  '\xff',
  '0',
  'f',
  'z',
  '\r\n',
  '\r\n ',
  '\r\n\t',
  '\r\r\n',
  '\n\n',
  '\r\n\r\n',
  ' \r\n',
  ': ',
  '0\r\n\r\n',
];
const HUGE = [
  '4294967299',
  '9223372036854775811',
  '18446744073709551619',
  'fffffffffffffffff',
  '10000000000000003',
  '1'.repeat(40),
];

/** One of them. */
export function pick<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)] as T;
}

/** A whole number from 0 to `bound` - 1. */
export function below(random: Random, bound: number): number {
  return Math.floor(random() * bound);
}

/** The text, more often than not changed at one to three places. */
export function mutated(random: Random, text: string): string {
  let result = text;
  let mutations = random() < 0.4 ? 0 : 1 + below(random, 3);
  for (; mutations > 0; mutations--) result = pick(random, MUTATORS)(random, result);
  return result;
}

type Mutator = (random: Random, text: string) => string;

const splice = (text: string, at: number, removed: number, added: string): string =>
  text.slice(0, at) + added + text.slice(at + removed);

/** A place that is more often than not beside something that means something. */
function place(random: Random, text: string): number {
  const at = below(random, text.length + 1);
  if (random() < 0.5) return at;
  const mark = pick(random, ['\r\n', ':', ' ', '\n', ';', 'chunked', 'Content-Length', '\r\n\r\n']);
  const found = text.indexOf(mark, at);
  return found < 0 ? at : found + (random() < 0.5 ? 0 : mark.length);
}

const byLines =
  (change: (random: Random, lines: string[]) => void): Mutator =>
  (random, text) => {
    const lines = text.split('\r\n');
    change(random, lines);
    return lines.join('\r\n');
  };

const MUTATORS: readonly Mutator[] = [
  // A bit of a byte is turned.
  (random, text) => {
    const at = below(random, text.length);
    const turned = (text.charCodeAt(at) || 0) ^ (1 << below(random, 8));
    return splice(text, at, 1, String.fromCharCode(turned & 0xff));
  },
  (random, text) => splice(text, place(random, text), 0, pick(random, ODD_BYTES)),
  (random, text) => splice(text, place(random, text), 1, pick(random, ODD_BYTES)),
  (random, text) => splice(text, place(random, text), 1 + below(random, 3), ''),
  (random, text) => splice(text, place(random, text), 0, String.fromCharCode(below(random, 256))),
  // Cut short.
  (random, text) => text.slice(0, below(random, text.length + 1)),
  byLines((random, lines) => {
    lines.splice(below(random, lines.length + 1), 0, pick(random, lines));
  }),
  byLines((random, lines) => {
    const [line = ''] = lines.splice(below(random, lines.length), 1);
    lines.splice(below(random, lines.length + 1), 0, line);
  }),
  byLines((random, lines) => {
    lines.splice(1 + below(random, lines.length), 0, pick(random, FRAMING));
  }),
  byLines((random, lines) => {
    lines.splice(1 + below(random, lines.length), 0, pick(random, FIELDS));
  }),
  // Another line ending, once.
  (random, text) => {
    const at = text.indexOf('\r\n', below(random, text.length + 1));
    return at < 0
      ? text
      : splice(text, at, 2, pick(random, ['\n', '\r', '\r\r\n', '\n\r', '', ' \r\n', '\r\n ']));
  },
  // Another number in the place of one.
  (random, text) => {
    const numbers = [...text.matchAll(/[0-9]+/g)];
    const number = numbers[below(random, numbers.length)];
    if (number === undefined) return text;
    const other = pick(random, [...SIZES, ...HUGE, '0', '1', '2', '4', `0${number[0]}`]);
    return splice(text, number.index, number[0].length, other);
  },
  // White space about a colon.
  (random, text) => {
    const at = text.indexOf(':', below(random, text.length + 1));
    return at < 0
      ? text
      : splice(text, at, 1, pick(random, [' :', '\t:', '::', ':\r\n ', ':\0', ';', '']));
  },
];
