const QUOTE = 0x22;
const COMMA = 0x2c;
const ZERO = 0x30;
const BRACKET = 0x5b;
const BRACKET_END = 0x5d;
const BACKSLASH = 0x5c;
/** JSON has no such character in a text as it is. */
const FIRST_PLAIN = 0x20;
/** Below it a number is exact. */
const MAX_DIGITS = 15;
/** A part of a text that is as long is no copy, and keeps the whole text in memory. */
const SHORT = 13;

export interface UsualHead {
  readonly service: string;
  readonly address: string;
  readonly port: number;
  readonly at: number;
}

/**
 * `["name","address",port,at]` from `from` to `to`, as nearly every registration begins: a million of them are read at a start.
 * Undefined for anything else, which may still be JSON.
 */
export function readUsualHead(text: string, from: number, to: number): UsualHead | undefined {
  const nameAt = from + 2;
  const nameEnd = endOfText(text, nameAt, to);
  const addressAt = nameEnd + 3;
  const addressEnd = endOfText(text, addressAt, to);
  const portAt = addressEnd + 2;
  const portEnd = endOfNumber(text, portAt, to);
  const timeAt = portEnd + 1;
  const timeEnd = endOfNumber(text, timeAt, to);
  if (
    nameEnd < 0 ||
    addressEnd < 0 ||
    portEnd < 0 ||
    timeEnd !== to - 1 ||
    text.charCodeAt(from) !== BRACKET ||
    text.charCodeAt(from + 1) !== QUOTE ||
    text.charCodeAt(nameEnd + 1) !== COMMA ||
    text.charCodeAt(nameEnd + 2) !== QUOTE ||
    text.charCodeAt(addressEnd + 1) !== COMMA ||
    text.charCodeAt(portEnd) !== COMMA ||
    text.charCodeAt(timeEnd) !== BRACKET_END
  ) {
    return undefined;
  }
  return {
    service: text.slice(nameAt, nameEnd),
    address: copyOf(text.slice(addressAt, addressEnd)),
    port: numberOf(text, portAt, portEnd),
    at: numberOf(text, timeAt, timeEnd),
  };
}

/** Where the quote is that ends the text from `from` on; -1 when there is none, or it has to be decoded. */
function endOfText(text: string, from: number, to: number): number {
  for (let at = from; at < to; at++) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) return at;
    if (unit === BACKSLASH || unit < FIRST_PLAIN) return -1;
  }
  return -1;
}

function endOfNumber(text: string, from: number, to: number): number {
  let at = from;
  while (at < to && isDigit(text.charCodeAt(at))) at++;
  const digits = at - from;
  const isNumber = digits === 1 || (digits > 1 && text.charCodeAt(from) !== ZERO);
  return isNumber && digits <= MAX_DIGITS ? at : -1;
}

function isDigit(unit: number): boolean {
  return unit >= ZERO && unit <= ZERO + 9;
}

function numberOf(text: string, from: number, to: number): number {
  let number = 0;
  for (let at = from; at < to; at++) number = number * 10 + text.charCodeAt(at) - ZERO;
  return number;
}

function copyOf(text: string): string {
  return text.length < SHORT ? text : Buffer.from(text).toString();
}
