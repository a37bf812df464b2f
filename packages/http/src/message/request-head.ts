import { CR, LF, SPACE, TARGET, TOKEN } from '../protocol/byte-classes.ts';
import { toLatin1 } from '../protocol/latin1.ts';
import { HttpProtocolError } from '../protocol/protocol-error.ts';
import { FIELD } from './field-classes.ts';
import { type BodyFraming, CHUNKED, lengthFraming, NO_BODY } from './framing.ts';
import { FramedFields } from './framing-fields.ts';
import { isValidHost, toHostName } from './host.ts';
import { scanFields } from './scan-fields.ts';

export interface HeadLimits {
  /** The whole head. Default 16 KiB; over it 431. */
  readonly headBytes: number;
  /** Default 100; over it 431. */
  readonly maxFields: number;
  /** The request target. Default 8 KiB; over it 414. */
  readonly targetBytes: number;
}

export const DEFAULT_HEAD_LIMITS: HeadLimits = {
  headBytes: 16_384,
  maxFields: 100,
  targetBytes: 8_192,
};

/** The head of a request that broke no rule. */
export class RequestHead extends FramedFields {
  readonly method: string;
  /** Origin-form (`/path?query`) as received, or `*`; not yet canonical, see `canonicalTarget`. */
  readonly target: string;
  readonly minorVersion: 0 | 1;
  /** `Host`, or the authority of an absolute-form target, as received; empty only in HTTP/1.0. */
  readonly host: string;
  readonly framing: BodyFraming;
  /** Whether the client wants the connection to stay. */
  readonly keepAlive: boolean;
  readonly expectContinue: boolean;
  /** The protocol asked for, when both Upgrade and Connection say so. */
  readonly upgrade: string | undefined;

  constructor(
    text: string,
    marks: number[],
    method: string,
    rawTarget: string,
    minorVersion: 0 | 1,
  ) {
    super(text, marks, minorVersion, true);
    this.method = method;
    this.minorVersion = minorVersion;
    const authority = absoluteAuthority(rawTarget);
    this.target = authority === undefined ? rawTarget : originForm(rawTarget, authority);
    const host = this.#readHost();
    // RFC 9112 §3.2.2: the authority of an absolute-form target replaces Host.
    this.host = authority ?? host;
    if (this.host !== '' && !isValidHost(this.host)) throw new HttpProtocolError('HOST_INVALID');
    const form = this.target.charCodeAt(0);
    if (form !== 0x2f && !(this.target === '*' && method === 'OPTIONS')) {
      throw new HttpProtocolError('TARGET_INVALID');
    }
    this.framing = this.chunked
      ? CHUNKED
      : this.contentLength < 0
        ? NO_BODY
        : lengthFraming(this.contentLength);
    this.keepAlive = minorVersion === 1 ? !this.connectionClose : this.#keepsOldAlive();
    this.expectContinue =
      (this.classes & FIELD.expect) !== 0 && minorVersion === 1 && this.#readExpect();
    this.upgrade =
      this.connectionUpgrade && minorVersion === 1 && (this.classes & FIELD.upgrade) !== 0
        ? this.get('upgrade')
        : undefined;
    if (this.upgrade !== undefined && (this.chunked || this.contentLength > 0)) {
      throw new HttpProtocolError('UPGRADE_WITH_BODY');
    }
  }

  /** Lower case, without port and without the root's dot. */
  get hostName(): string {
    return toHostName(this.host);
  }

  #keepsOldAlive(): boolean {
    return this.connectionKeepAlive && !this.connectionClose;
  }

  #readHost(): string {
    const index = (this.classes & FIELD.host) === 0 ? -1 : this.indexOf('host');
    if (index < 0) {
      if (this.minorVersion === 1) throw new HttpProtocolError('HOST_MISSING');
      return '';
    }
    if (this.indexOf('host', index + 1) >= 0) throw new HttpProtocolError('HOST_DUPLICATE');
    const host = this.fieldValue(index);
    if (!isValidHost(host)) throw new HttpProtocolError('HOST_INVALID');
    return host;
  }

  #readExpect(): boolean {
    if (this.joined('expect')?.toLowerCase() !== '100-continue') {
      throw new HttpProtocolError('EXPECTATION_UNKNOWN');
    }
    return this.framing.kind === 'chunked' || this.contentLength > 0;
  }
}

/** The authority of an absolute-form target, or undefined for any other form. */
function absoluteAuthority(target: string): string | undefined {
  const first = target.charCodeAt(0);
  if (first === 0x2f || first === 0x2a) return undefined;
  const scheme = /^https?:\/\//i.exec(target);
  if (!scheme) throw new HttpProtocolError('TARGET_INVALID');
  const rest = target.slice(scheme[0].length);
  const end = rest.search(/[/?]/);
  const authority = end < 0 ? rest : rest.slice(0, end);
  if (authority === '') throw new HttpProtocolError('HOST_INVALID');
  return authority;
}

function originForm(target: string, authority: string): string {
  const rest = target.slice(target.indexOf('://') + 3 + authority.length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/**
 * Reads one request head that begins at `start` and is `head.text.length` bytes long; `undefined` when the bytes end before
 * the head does. Throws `HttpProtocolError` at the first faulty byte.
 */
export function parseRequestHead(
  bytes: Buffer,
  start: number,
  available: number,
  limits: HeadLimits,
): RequestHead | undefined {
  // What lies beyond the limit is not looked at, so that its faults are no other than those of a head in pieces.
  const end = Math.min(available, start + limits.headBytes + 1);
  let at = start;
  while (at < end && TOKEN[bytes[at] as number]) at++;
  if (at >= end) return incomplete(end - start, limits);
  if (bytes[at] !== SPACE || at === start) throw requestLineFault(bytes[at] as number);
  const methodEnd = at++;
  const targetStart = at;
  while (at < end && TARGET[bytes[at] as number] === 1) at++;
  if (at - targetStart > limits.targetBytes) throw new HttpProtocolError('TARGET_TOO_LONG');
  if (at >= end) return incomplete(end - start, limits);
  if (bytes[at] !== SPACE || at === targetStart) {
    const byte = bytes[at] as number;
    throw new HttpProtocolError(
      byte === LF ? 'BARE_LF' : byte === CR ? 'REQUEST_LINE_MALFORMED' : 'TARGET_INVALID',
    );
  }
  const targetEnd = at++;
  const minorVersion = readVersion(bytes, at, end);
  if (minorVersion === undefined || at + 8 >= end) return incomplete(end - start, limits);
  if (bytes[at + 8] !== CR) throw requestLineFault(bytes[at + 8] as number);
  if (at + 9 >= end) return incomplete(end - start, limits);
  if (bytes[at + 9] !== LF) throw requestLineFault(CR);
  const marks: number[] = [];
  const headEnd = scanFields(bytes, at + 10, end, start, marks, limits.maxFields);
  if (headEnd < 0) return incomplete(end - start, limits);
  if (headEnd - start > limits.headBytes) throw new HttpProtocolError('HEAD_TOO_LARGE');
  const text = toLatin1(bytes, start, headEnd);
  const method = text.slice(0, methodEnd - start);
  if (method === 'CONNECT') throw new HttpProtocolError('METHOD_NOT_SUPPORTED');
  const target = text.slice(targetStart - start, targetEnd - start);
  return new RequestHead(text, marks, method, target, minorVersion);
}

function incomplete(bytes: number, limits: HeadLimits): undefined {
  if (bytes > limits.headBytes) throw new HttpProtocolError('HEAD_TOO_LARGE');
  return undefined;
}

function requestLineFault(byte: number): HttpProtocolError {
  if (byte === LF) return new HttpProtocolError('BARE_LF');
  return new HttpProtocolError(
    byte === CR ? 'BARE_CR' : byte < SPACE ? 'CONTROL_CHARACTER' : 'REQUEST_LINE_MALFORMED',
  );
}

/** Reads `HTTP/1.0` or `HTTP/1.1`; `undefined` when the bytes end within it. */
export function readVersion(bytes: Uint8Array, at: number, end: number): 0 | 1 | undefined {
  const isOne = at + 8 <= end && bytes[at + 7] === 0x31 && startsWith(bytes, at, HTTP_1);
  return isOne ? 1 : readOtherVersion(bytes, at, end);
}

const HTTP = Buffer.from('HTTP/');
const HTTP_1 = Buffer.from('HTTP/1.');
const FULL_STOP = 0x2e;

function startsWith(bytes: Uint8Array, at: number, prefix: Uint8Array): boolean {
  for (let i = 0; i < prefix.length; i++) if (bytes[at + i] !== prefix[i]) return false;
  return true;
}

function readOtherVersion(bytes: Uint8Array, at: number, end: number): 0 | 1 | undefined {
  for (let i = 0; i < 8; i++) {
    if (at + i >= end) return undefined;
    const byte = bytes[at + i] as number;
    const isDigit = byte >= 0x30 && byte <= 0x39;
    const fits = i < 5 ? byte === HTTP[i] : i === 6 ? byte === FULL_STOP : isDigit;
    if (!fits) throw new HttpProtocolError('REQUEST_LINE_MALFORMED');
  }
  const minor = (bytes[at + 7] as number) - 0x30;
  if (bytes[at + 5] !== 0x31 || (minor !== 0 && minor !== 1)) {
    throw new HttpProtocolError('VERSION_NOT_SUPPORTED');
  }
  return minor;
}
