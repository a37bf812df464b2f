import type { AsciiTexts } from '@portolan/core';
import { isId } from './fields.ts';
import { HEARTBEAT_BATCH_MAX } from './heartbeat-schema.ts';

const MAX_ID_BYTES = 256;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;
const MEMBER = Buffer.from('"ids"');

/** What a byte may be in an id that stands in a text as it is: the first one, a later one, or neither. */
const LATER = 1;
const FIRST = 2;
const CLASSES = new Uint8Array(256);
for (let byte = 0; byte < CLASSES.length; byte++) {
  const char = String.fromCharCode(byte);
  if (isId(char)) CLASSES[byte] = FIRST;
  else if (byte !== QUOTE && isId(`a${char}`)) CLASSES[byte] = LATER;
}

/**
 * Finds the ids of a batch of heartbeats, `{"ids":["a","b"]}`, where they stand in the body: nothing is made of them. Undefined for
 * whatever it does not take, right or wrong, an escaped character for instance: the schema reads that, and says what is wrong with it.
 * What both take they read alike (plain-heartbeats.test.ts).
 */
export function readPlainHeartbeats(body: Uint8Array): AsciiTexts | undefined {
  let at = skipSpace(body, 0);
  if (body[at] !== OPENING_BRACE) return undefined;
  at = skipSpace(body, at + 1);
  for (const byte of MEMBER) if (body[at++] !== byte) return undefined;
  at = skipSpace(body, at);
  if (body[at] !== COLON) return undefined;
  at = skipSpace(body, at + 1);
  if (body[at] !== OPENING_BRACKET) return undefined;
  const bounds: number[] = [];
  do {
    at = skipSpace(body, at + 1);
    if (body[at] !== QUOTE) return undefined;
    const from = at + 1;
    if (CLASSES[body[from] ?? 0] !== FIRST) return undefined;
    at = from + 1;
    while (CLASSES[body[at] ?? 0] !== 0) at++;
    if (body[at] !== QUOTE || at - from > MAX_ID_BYTES) return undefined;
    bounds.push(from, at);
    at = skipSpace(body, at + 1);
  } while (body[at] === COMMA);
  if (body[at] !== CLOSING_BRACKET || bounds.length > HEARTBEAT_BATCH_MAX * 2) return undefined;
  at = skipSpace(body, at + 1);
  if (body[at] !== CLOSING_BRACE || skipSpace(body, at + 1) !== body.length) return undefined;
  return { bytes: body, bounds };
}

/** Past the white space of RFC 8259 §2. */
function skipSpace(body: Uint8Array, from: number): number {
  let at = from;
  for (;;) {
    const byte = body[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return at;
    at++;
  }
}
