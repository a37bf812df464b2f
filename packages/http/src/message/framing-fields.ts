import { HttpProtocolError } from '../protocol/protocol-error.ts';
import { FIELD, isProtectedName } from './field-classes.ts';
import { MessageFields } from './message-fields.ts';

/** RFC 9110 §5.6.3. Not `trim`, which takes U+00A0 for white space too: here that is a byte of the text. */
const OUTER_BLANKS = /^[ \t]+|[ \t]+$/g;
const SIMPLE_OPTIONS = new Set(['close', 'keep-alive', 'upgrade', 'te']);

/** Fields, and what those among them that frame the message and rule the connection say. */
export class FramedFields extends MessageFields {
  /** Union of all fields' classes. */
  readonly classes: number;
  /** -1 without Content-Length. */
  readonly contentLength: number;
  readonly chunked: boolean;
  /** The options `close`, `keep-alive` and `upgrade` of Connection. */
  readonly connectionClose: boolean;
  readonly connectionKeepAlive: boolean;
  readonly connectionUpgrade: boolean;

  /** `strictOptions`: a Connection that names a protected field is refused; else that nomination is ignored. */
  constructor(text: string, marks: number[], minorVersion: number, strictOptions: boolean) {
    super(text, marks);
    let classes = 0;
    let contentLength = -1;
    let chunked = false;
    let options: string | undefined;
    const count = this.fieldCount;
    for (let index = 0; index < count; index++) {
      const bits = this.fieldClass(index);
      if (bits === 0) continue;
      // RFC 9112 §6.3: a repeated Content-Length, even with equal values, is refused.
      if (bits & FIELD.contentLength) {
        if (contentLength >= 0) throw new HttpProtocolError('CONTENT_LENGTH_DUPLICATE');
        contentLength = parseContentLength(this.fieldValue(index));
      } else if (bits & FIELD.transferEncoding) {
        if (chunked) throw new HttpProtocolError('TRANSFER_ENCODING_DUPLICATE');
        // RFC 9112 §6.1: faulty in HTTP/1.0; any coding but chunked is unknown here.
        if (minorVersion === 0) throw new HttpProtocolError('TRANSFER_ENCODING_IN_HTTP_1_0');
        if (this.fieldValue(index).toLowerCase() !== 'chunked') {
          throw new HttpProtocolError('TRANSFER_ENCODING_UNSUPPORTED');
        }
        chunked = true;
      } else if (bits & FIELD.connection) {
        const value = this.fieldValue(index);
        options = options === undefined ? value : `${options},${value}`;
      }
      classes |= bits;
    }
    // RFC 9112 §6.1: ought to be handled as an error.
    if (chunked && contentLength >= 0) throw new HttpProtocolError('LENGTH_AND_ENCODING');
    this.contentLength = contentLength;
    this.chunked = chunked;
    this.classes = classes;
    let close = false;
    let keepAlive = false;
    let upgrade = false;
    // What nearly every peer says, without taking the list apart.
    if (options === 'keep-alive') keepAlive = true;
    else if (options === 'close') close = true;
    else if (options !== undefined) {
      for (const part of options.split(',')) {
        const option = part.replace(OUTER_BLANKS, '').toLowerCase();
        if (option === 'close') close = true;
        else if (option === 'keep-alive') keepAlive = true;
        else if (option === 'upgrade') upgrade = true;
        if (option !== '' && !SIMPLE_OPTIONS.has(option)) this.#nominate(option, strictOptions);
      }
    }
    this.connectionClose = close;
    this.connectionKeepAlive = keepAlive;
    this.connectionUpgrade = upgrade;
  }

  #nominate(option: string, strict: boolean): void {
    if (isProtectedName(option)) {
      if (strict) throw new HttpProtocolError('CONNECTION_NAMES_PROTECTED_FIELD');
      return;
    }
    for (let at = this.indexOf(option); at >= 0; at = this.indexOf(option, at + 1)) {
      this.mark(at, FIELD.hopByHop);
    }
  }
}

/** Digits only: no sign, no list, no white space inside (RFC 9110 §8.6), and exact as a number. */
export function parseContentLength(value: string): number {
  if (value.length === 0 || value.length > 15) {
    throw new HttpProtocolError('CONTENT_LENGTH_INVALID');
  }
  let length = 0;
  for (let at = 0; at < value.length; at++) {
    const digit = value.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) throw new HttpProtocolError('CONTENT_LENGTH_INVALID');
    length = length * 10 + digit;
  }
  return length;
}
