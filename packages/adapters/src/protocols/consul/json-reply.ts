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

/** A list, in pieces when it is long: other requests get their turn in between. */
export function listReply(context: Turns, items: Iterable<unknown>, pretty: boolean): ControlReply {
  if (pretty) return jsonReply([...items], pretty);
  return piecedReply(context, '[', ']', items, (item) => JSON.stringify(item));
}

/** An object of many members; the first of a name stays. */
export function mapReply(
  context: Turns,
  entries: Iterable<readonly [string, unknown]>,
  pretty: boolean,
): ControlReply {
  if (pretty) {
    const whole = new Map<string, unknown>();
    for (const [key, value] of entries) if (!whole.has(key)) whole.set(key, value);
    return jsonReply(Object.fromEntries(whole), pretty);
  }
  return piecedReply(context, '{', '}', distinct(entries), ([key, value]) => {
    return `${JSON.stringify(key)}:${JSON.stringify(value)}`;
  });
}

function* distinct<T>(entries: Iterable<readonly [string, T]>): Generator<readonly [string, T]> {
  const seen = new Set<string>();
  for (const entry of entries) {
    if (seen.has(entry[0])) continue;
    seen.add(entry[0]);
    yield entry;
  }
}

function piecedReply<T>(
  context: Turns,
  open: string,
  close: string,
  items: Iterable<T>,
  toText: (item: T) => string,
): ControlReply {
  const pieces = toPieces(open, close, items, toText);
  const first = pieces.next();
  const second = pieces.next();
  if (second.done) return { status: 200, headers: JSON_HEADERS, body: first.value ?? '' };
  return {
    status: 200,
    headers: JSON_HEADERS,
    body: inTurns(context, [first.value ?? '', second.value], pieces),
  };
}

function* toPieces<T>(
  open: string,
  close: string,
  items: Iterable<T>,
  toText: (item: T) => string,
): Generator<string, undefined> {
  let piece = open;
  let count = 0;
  for (const item of items) {
    if (count > 0) piece += ',';
    piece += toText(item);
    count++;
    if (count % PIECE_ITEMS !== 0) continue;
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
  yield* made;
  let count = 0;
  for (const piece of rest) {
    yield piece;
    count++;
    if (count % TURN_PIECES === 0) await turn();
  }
}
