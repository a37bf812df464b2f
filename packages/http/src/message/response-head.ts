import { CR, FIELD_VALUE, LF, SPACE } from '../protocol/byte-classes.ts';
import { toLatin1 } from '../protocol/latin1.ts';
import { HttpProtocolError } from '../protocol/protocol-error.ts';
import { type BodyFraming, CHUNKED, lengthFraming, NO_BODY, UNTIL_CLOSE } from './framing.ts';
import { FramedFields } from './framing-fields.ts';
import { type HeadLimits, readVersion } from './request-head.ts';
import { scanFields } from './scan-fields.ts';

/** The head of a response that broke no rule. */
export class ResponseHead extends FramedFields {
  readonly status: number;
  readonly reason: string;
  readonly minorVersion: 0 | 1;
  /** How the body that follows is framed: `none` for HEAD, 1xx, 204 and 304 (RFC 9112 §6.3). */
  readonly framing: BodyFraming;
  /** What the head announces, also where no body follows: pass this to `ServerExchange.sendHead`. */
  readonly declared: BodyFraming;
  readonly keepAlive: boolean;

  constructor(
    text: string,
    marks: number[],
    status: number,
    reason: string,
    minorVersion: 0 | 1,
    toHead: boolean,
  ) {
    super(text, marks, minorVersion, false);
    this.status = status;
    this.reason = reason;
    this.minorVersion = minorVersion;
    this.declared = this.chunked
      ? CHUNKED
      : this.contentLength >= 0
        ? lengthFraming(this.contentLength)
        : toHead || isBodiless(status)
          ? NO_BODY
          : UNTIL_CLOSE;
    // RFC 9112 §6.1, RFC 9110 §8.6: never sent, and others read a body there. With 101 the connection is no longer HTTP anyway.
    if (status < 200 && status !== 101 && (this.chunked || this.contentLength > 0)) {
      throw new HttpProtocolError('INTERIM_WITH_BODY');
    }
    this.framing = toHead || isBodiless(status) ? NO_BODY : this.declared;
    this.keepAlive =
      this.framing.kind !== 'until-close' &&
      !this.connectionClose &&
      (minorVersion === 1 || this.connectionKeepAlive);
  }
}

/** Whether a response of that status never has a body: 1xx, 204, 304 (RFC 9110 §6.4.1). */
export function isBodiless(status: number): boolean {
  return status < 200 || status === 204 || status === 304;
}

/** Reads one response head that begins at `start`; `undefined` when the bytes end before the head does. */
export function parseResponseHead(
  bytes: Buffer,
  start: number,
  available: number,
  limits: HeadLimits,
  toHead: boolean,
): ResponseHead | undefined {
  // What lies beyond the limit is not looked at, so that its faults are no other than those of a head in pieces.
  const end = Math.min(available, start + limits.headBytes + 1);
  const minorVersion = readVersion(bytes, start, end);
  const status = minorVersion === undefined ? undefined : readStatus(bytes, start + 8, end);
  if (minorVersion === undefined || status === undefined) return incomplete(end - start, limits);
  let at = start + 12;
  const reasonStart = at + 1;
  if (at < end && bytes[at] === SPACE) {
    at++;
    while (at < end && FIELD_VALUE[bytes[at] as number] === 1) at++;
  }
  if (at >= end) return incomplete(end - start, limits);
  if (bytes[at] !== CR) throw new HttpProtocolError('STATUS_LINE_MALFORMED');
  if (at + 1 >= end) return incomplete(end - start, limits);
  if (bytes[at + 1] !== LF) throw new HttpProtocolError('STATUS_LINE_MALFORMED');
  const reasonEnd = at;
  const marks: number[] = [];
  const headEnd = scanFields(bytes, at + 2, end, start, marks, limits.maxFields);
  if (headEnd < 0) return incomplete(end - start, limits);
  if (headEnd - start > limits.headBytes) throw new HttpProtocolError('HEAD_TOO_LARGE');
  const text = toLatin1(bytes, start, headEnd);
  const reason = text.slice(reasonStart - start, reasonEnd - start);
  return new ResponseHead(text, marks, status, reason, minorVersion, toHead);
}

/** Reads the space and three digits; `undefined` when the bytes end within them. */
function readStatus(bytes: Uint8Array, at: number, end: number): number | undefined {
  let status = 0;
  for (let i = 0; i <= 3; i++) {
    if (at + i >= end) return undefined;
    const digit = (bytes[at + i] as number) - 0x30;
    const fits = i === 0 ? bytes[at] === SPACE : digit >= 0 && digit <= 9;
    if (!fits) throw new HttpProtocolError('STATUS_LINE_MALFORMED');
    if (i > 0) status = status * 10 + digit;
  }
  if (status < 100 || status > 599) throw new HttpProtocolError('STATUS_LINE_MALFORMED');
  return status;
}

function incomplete(bytes: number, limits: HeadLimits): undefined {
  if (bytes > limits.headBytes) throw new HttpProtocolError('HEAD_TOO_LARGE');
  return undefined;
}
