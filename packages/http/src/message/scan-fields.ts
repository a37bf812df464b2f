import { COLON, CR, FIELD_VALUE, HTAB, LF, SPACE, TOKEN } from '../protocol/byte-classes.ts';
import { HttpProtocolError, type ProtocolErrorCode } from '../protocol/protocol-error.ts';
import { classifyName, FIELD } from './field-classes.ts';

/**
 * Reads header lines from `position` up to and with the empty line, and adds five marks a field, relative to `base`.
 * Returns the position behind the empty line, or -1 when the bytes end before it.
 */
export function scanFields(
  bytes: Uint8Array,
  position: number,
  end: number,
  base: number,
  marks: number[],
  maxFields: number,
): number {
  let at = position;
  for (let count = 0; ; count++) {
    if (at >= end) return -1;
    if (bytes[at] === CR) {
      if (at + 1 >= end) return -1;
      if (bytes[at + 1] !== LF) throw new HttpProtocolError('BARE_CR');
      return at + 2;
    }
    const nameStart = at;
    let seen = 0;
    for (;;) {
      const kind = TOKEN[bytes[at] as number] as number;
      if (kind === 0) break;
      seen |= kind;
      if (++at >= end) return -1;
    }
    if (bytes[at] !== COLON || at === nameStart) {
      throw new HttpProtocolError(nameFault(bytes[at] as number, at === nameStart));
    }
    if (count >= maxFields) throw new HttpProtocolError('TOO_MANY_FIELDS');
    const nameEnd = at++;
    while (at < end && (bytes[at] === SPACE || bytes[at] === HTAB)) at++;
    const valueStart = at;
    while (at < end && FIELD_VALUE[bytes[at] as number] === 1) at++;
    if (at >= end) return -1;
    if (bytes[at] !== CR) throw new HttpProtocolError(valueFault(bytes[at] as number));
    if (at + 1 >= end) return -1;
    if (bytes[at + 1] !== LF) throw new HttpProtocolError('BARE_CR');
    let valueEnd = at;
    while (valueEnd > valueStart && isBlank(bytes[valueEnd - 1] as number)) valueEnd--;
    const classes =
      classifyName(bytes, nameStart, nameEnd - nameStart) | (seen & 2 ? FIELD.underscore : 0);
    marks.push(nameStart - base, nameEnd - base, valueStart - base, valueEnd - base, classes);
    at += 2;
  }
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === HTAB;
}

function nameFault(byte: number, first: boolean): ProtocolErrorCode {
  if (byte === LF) return 'BARE_LF';
  if (byte === CR) return 'FIELD_NAME_INVALID';
  if (byte === 0) return 'CONTROL_CHARACTER';
  if (first) {
    // RFC 9112 §2.2 (before the first field) and §5.2 (obs-fold).
    if (isBlank(byte)) return 'OBSOLETE_FOLD';
    if (byte === COLON) return 'FIELD_NAME_EMPTY';
  }
  return isBlank(byte) ? 'SPACE_BEFORE_COLON' : 'FIELD_NAME_INVALID';
}

function valueFault(byte: number): ProtocolErrorCode {
  return byte === LF ? 'BARE_LF' : 'CONTROL_CHARACTER';
}
