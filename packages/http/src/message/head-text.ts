import { FIELD_VALUE, TOKEN } from '../protocol/byte-classes.ts';
import { REASONS } from './reason-phrases.ts';

/** One header line with its CRLF. Throws `TypeError` when name or value could break the head apart. */
export function fieldLine(name: string, value: string): string {
  if (!isToken(name)) throw new TypeError('A header name is not a token');
  if (!isFieldValue(value)) throw new TypeError(`The value of header ${name} is not allowed`);
  return `${name}: ${value}\r\n`;
}

/** Header lines from a flat list of names and values, each line checked. */
export function fieldLines(flat: readonly string[]): string {
  let lines = '';
  for (let at = 0; at + 1 < flat.length; at += 2)
    lines += fieldLine(flat[at] ?? '', flat[at + 1] ?? '');
  return lines;
}

/** Header lines from a record, each line checked. */
export function recordLines(record: Readonly<Record<string, string>>): string {
  let lines = '';
  for (const name of Object.keys(record)) lines += fieldLine(name, record[name] ?? '');
  return lines;
}

/** Whether a value may be written: no CR, LF, NUL or other control, and nothing above latin1. */
export function isFieldValue(value: string): boolean {
  for (let at = 0; at < value.length; at++) {
    if (FIELD_VALUE[value.charCodeAt(at)] !== 1) return false;
  }
  return true;
}

export function isToken(name: string): boolean {
  for (let at = 0; at < name.length; at++) if (!TOKEN[name.charCodeAt(at)]) return false;
  return name.length > 0;
}

const STATUS_LINES = new Map<number, string>();

/** `HTTP/1.1 200 OK` with its CRLF. */
export function statusLine(status: number): string {
  let line = STATUS_LINES.get(status);
  if (line === undefined) {
    line = `HTTP/1.1 ${status} ${REASONS[status] ?? ''}\r\n`;
    STATUS_LINES.set(status, line);
  }
  return line;
}
