import type { ControlReply } from '@portolan/core';
import type { ConsulContext } from './consul-context.ts';

const JSON_HEADERS: Readonly<Record<string, string>> = Object.freeze({
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
});
const EMPTY_HEADERS: Readonly<Record<string, string>> = Object.freeze({
  'cache-control': 'no-store',
});
/** Answers longer than this many items are made and sent piece by piece. */
const PIECE_ITEMS = 256;
/** After so many pieces others get their turn. */
const TURN_PIECES = 4;
const PRETTY_SPACES = 4;

type Turns = Pick<ConsulContext, 'turn'>;

export function jsonReply(value: unknown, pretty: boolean, status = 200): ControlReply {
  const body = pretty ? `${JSON.stringify(value, null, PRETTY_SPACES)}\n` : JSON.stringify(value);
  return { status, headers: JSON_HEADERS, body };
}

export function bytesReply(body: Uint8Array): ControlReply {
  return { status: 200, headers: JSON_HEADERS, body };
}

/** What a write answers: nothing but its status. */
export const DONE: ControlReply = { status: 200, headers: EMPTY_HEADERS };

/** What was looked at and is not told: it counts as work. */
export const LEFT_OUT = undefined;

/** A list, in pieces when it is long: other requests get their turn in between. */
export function listReply<T>(
  context: Turns,
  items: Iterable<T | undefined>,
  pretty: boolean,
): ControlReply {
  if (pretty) {
    return jsonReply(
      [...items].filter((item) => item !== LEFT_OUT),
      pretty,
    );
  }
  return piecedReply(context, '[', ']', items, (item) => JSON.stringify(item));
}

/** An object of many members; the first of a name stays. */
export function mapReply(
  context: Turns,
  entries: Iterable<readonly [string, unknown] | undefined>,
  pretty: boolean,
): ControlReply {
  if (pretty) {
    const whole = [...distinct(entries)].filter((entry) => entry !== LEFT_OUT);
    return jsonReply(Object.fromEntries(whole), pretty);
  }
  return piecedReply(context, '{', '}', distinct(entries), ([key, value]) => {
    return `${JSON.stringify(key)}:${JSON.stringify(value)}`;
  });
}

type Entry = readonly [string, unknown];

function* distinct(entries: Iterable<Entry | undefined>): Generator<Entry | undefined> {
  const seen = new Set<string>();
  for (const entry of entries) {
    if (entry === LEFT_OUT || seen.has(entry[0])) yield LEFT_OUT;
    else {
      seen.add(entry[0]);
      yield entry;
    }
  }
}

function piecedReply<T>(
  context: Turns,
  open: string,
  close: string,
  items: Iterable<T | undefined>,
  toText: (item: T) => string,
): ControlReply {
  const pieces = toPieces(open, close, items, toText);
  const first = pieces.next();
  const second = pieces.next();
  if (second.done) return { status: 200, headers: JSON_HEADERS, body: first.value ?? '' };
  const body = inTurns(context, [first.value ?? '', second.value], pieces);
  return { status: 200, headers: JSON_HEADERS, body };
}

/** A piece for so many items looked at; empty when none of them is told. */
function* toPieces<T>(
  open: string,
  close: string,
  items: Iterable<T | undefined>,
  toText: (item: T) => string,
): Generator<string, undefined> {
  let piece = open;
  let looked = 0;
  let isFirst = true;
  for (const item of items) {
    looked++;
    if (item !== LEFT_OUT) {
      piece += isFirst ? toText(item) : `,${toText(item)}`;
      isFirst = false;
    }
    if (looked % PIECE_ITEMS !== 0) continue;
    yield piece;
    piece = '';
  }
  yield piece + close;
  return undefined;
}

async function* inTurns(
  { turn }: Turns,
  made: readonly string[],
  rest: Iterable<string>,
): AsyncGenerator<string> {
  yield* made.filter((piece) => piece !== '');
  let count = 0;
  for (const piece of rest) {
    if (piece !== '') yield piece;
    count++;
    if (count % TURN_PIECES === 0) await turn();
  }
}
