import { TARGET, TOKEN } from '../protocol/byte-classes.ts';
import { HttpProtocolError } from '../protocol/protocol-error.ts';
import { isFieldValue, isToken } from './head-text.ts';

/** RFC 9113 §8.2.2: what says something of the connection has no place in HTTP/2. */
const CONNECTION_FIELDS = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/** Names that a request may carry in HTTP/1.1 and that are dropped, or said in another way, in HTTP/2. */
const NOT_IN_HTTP_2 = new Set([...CONNECTION_FIELDS, 'host', 'http2-settings', 'te']);

/**
 * The header lines of HTTP/2 fields (a flat list of names and values) from index `from` on. Whatever could break a line, or
 * mean more as HTTP/1.1 than it did as HTTP/2, throws `HttpProtocolError` (RFC 9113 §8.2, §10.3).
 */
export function http2FieldLines(raw: readonly string[], from: number): string {
  let lines = '';
  for (let at = from; at < raw.length; at += 2) {
    const name = raw[at] ?? '';
    const value = raw[at + 1] ?? '';
    if (!isLowerCaseToken(name)) throw new HttpProtocolError('FIELD_NAME_INVALID');
    if (CONNECTION_FIELDS.has(name)) throw new HttpProtocolError('CONNECTION_INVALID');
    if (!isFieldValue(value)) throw new HttpProtocolError('CONTROL_CHARACTER');
    lines += `${name}: ${value}\r\n`;
  }
  return lines;
}

function isLowerCaseToken(name: string): boolean {
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at);
    if (!TOKEN[code] || (code >= 0x41 && code <= 0x5a)) return false;
  }
  return name.length > 0;
}

/**
 * The head of an HTTP/2 response as HTTP/1.1 text: a body without a length reads as chunked, since its end is marked in both.
 * `complete` says that no body follows, `bodiless` that none could (an answer to HEAD).
 */
export function http2ResponseText(
  raw: readonly string[],
  complete: boolean,
  bodiless: boolean,
): string {
  const status = raw[0] === ':status' ? (raw[1] ?? '') : '';
  if (!/^[1-5]\d\d$/.test(status)) throw new HttpProtocolError('STATUS_LINE_MALFORMED');
  // RFC 9113 §8.6: there is no switching of protocols.
  if (status === '101') throw new HttpProtocolError('SWITCH_UNASKED');
  const lines = http2FieldLines(raw, 2);
  const framed =
    bodiless || status[0] === '1' || status === '204' || status === '304' || hasLength(raw);
  const framing = framed
    ? ''
    : complete
      ? 'content-length: 0\r\n'
      : 'transfer-encoding: chunked\r\n';
  return `HTTP/1.1 ${status} \r\n${lines}${framing}\r\n`;
}

function hasLength(raw: readonly string[]): boolean {
  for (let at = 2; at < raw.length; at += 2) if (raw[at] === 'content-length') return true;
  return false;
}

/** Calls `take` with each name, in lower case, and value of whole HTTP/1.1 header lines. */
function eachLine(lines: string, take: (name: string, value: string) => void): void {
  for (let at = 0; at < lines.length; ) {
    const end = lines.indexOf('\r\n', at);
    const colon = lines.indexOf(':', at);
    if (end < 0 || colon < 0 || colon > end) return;
    take(lines.slice(at, colon).toLowerCase(), lines.slice(colon + 1, end).trim());
    at = end + 2;
  }
}

/** The fields of an HTTP/2 request as a flat list, from HTTP/1.1 header lines; `length` is that of the body, where it is told. */
export function http2RequestFields(
  request: { readonly method: string; readonly scheme: string; readonly target: string },
  lines: string,
  length: number | undefined,
): string[] {
  const fields = [':method', request.method, ':scheme', request.scheme];
  const regular: string[] = [];
  let authority: string | undefined;
  eachLine(lines, (name, value) => {
    if (name === 'host') authority = value;
    if (!NOT_IN_HTTP_2.has(name) && name !== 'content-length') regular.push(name, value);
  });
  if (authority !== undefined) fields.push(':authority', authority);
  fields.push(':path', request.target, ...regular);
  if (length !== undefined) fields.push('content-length', String(length));
  // RFC 9110 §10.1.4: we pass trailers on; gRPC servers ask for it as a sign that nobody on the way drops them.
  fields.push('te', 'trailers');
  return fields;
}

/** Trailer lines as a record, repeated names as lists. */
export function http2Trailers(lines: string): Record<string, string[]> {
  const trailers: Record<string, string[]> = {};
  eachLine(lines, (name, value) => {
    if (NOT_IN_HTTP_2.has(name)) return;
    const values = trailers[name];
    if (values === undefined) trailers[name] = [value];
    else values.push(value);
  });
  return trailers;
}

/** What the pseudo-header fields and those that HTTP/1.1 says in another way come to. */
interface RequestParts {
  method: string | undefined;
  scheme: string | undefined;
  path: string | undefined;
  authority: string | undefined;
  host: string | undefined;
  cookie: string | undefined;
  readonly regular: string[];
}

/**
 * The head of an HTTP/2 request (a flat list of names and values) as HTTP/1.1 text, to be read by the same parser and the same
 * rules as any other: a body without a length reads as chunked. `complete` says that no body follows. Throws
 * `HttpProtocolError` for what RFC 9113 §8.2–8.3 forbids.
 */
export function http2RequestText(raw: readonly string[], complete: boolean): string {
  const parts = readRequestParts(raw);
  const { method, path, authority, host } = parts;
  if (method === undefined || !isToken(method)) throw new HttpProtocolError('METHOD_INVALID');
  if (method === 'CONNECT') throw new HttpProtocolError('METHOD_NOT_SUPPORTED');
  if (parts.scheme !== 'http' && parts.scheme !== 'https') {
    throw new HttpProtocolError('PSEUDO_FIELD_INVALID');
  }
  if (path === undefined || !isPath(path)) throw new HttpProtocolError('TARGET_INVALID');
  if (host !== undefined && authority !== undefined && host !== authority) {
    throw new HttpProtocolError('HOST_DUPLICATE');
  }
  const named = authority ?? host;
  let lines = named === undefined ? '' : `host: ${checkedValue(named)}\r\n`;
  lines += http2FieldLines(parts.regular, 0);
  // RFC 9113 §8.2.3: crumbs are put together for whoever does not speak HTTP/2.
  if (parts.cookie !== undefined) lines += `cookie: ${checkedValue(parts.cookie)}\r\n`;
  const framing =
    complete || parts.regular.includes('content-length') ? '' : 'transfer-encoding: chunked\r\n';
  return `${method} ${path} HTTP/1.1\r\n${lines}${framing}\r\n`;
}

function readRequestParts(raw: readonly string[]): RequestParts {
  const parts: RequestParts = {
    method: undefined,
    scheme: undefined,
    path: undefined,
    authority: undefined,
    host: undefined,
    cookie: undefined,
    regular: [],
  };
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] ?? '';
    const value = raw[at + 1] ?? '';
    if (name.startsWith(':')) {
      // RFC 9113 §8.3: each once, and ahead of all others.
      const key = PSEUDO_FIELDS.get(name);
      const late =
        parts.regular.length > 0 || parts.host !== undefined || parts.cookie !== undefined;
      if (key === undefined || late || parts[key] !== undefined) {
        throw new HttpProtocolError('PSEUDO_FIELD_INVALID');
      }
      parts[key] = value;
    } else if (name === 'host') {
      if (parts.host !== undefined) throw new HttpProtocolError('HOST_DUPLICATE');
      parts.host = value;
    } else if (name === 'cookie') {
      parts.cookie = parts.cookie === undefined ? value : `${parts.cookie}; ${value}`;
    } else if (name === 'te') {
      if (value !== 'trailers') throw new HttpProtocolError('CONNECTION_INVALID');
    } else parts.regular.push(name, value);
  }
  return parts;
}

const PSEUDO_FIELDS = new Map<string, 'method' | 'scheme' | 'path' | 'authority'>([
  [':method', 'method'],
  [':scheme', 'scheme'],
  [':path', 'path'],
  [':authority', 'authority'],
]);

/** Origin-form or `*` (RFC 9113 §8.3.1), of bytes that end no request line. */
function isPath(path: string): boolean {
  if (path !== '*' && path.charCodeAt(0) !== 0x2f) return false;
  for (let at = 0; at < path.length; at++) if (TARGET[path.charCodeAt(at)] !== 1) return false;
  return true;
}

function checkedValue(value: string): string {
  if (!isFieldValue(value)) throw new HttpProtocolError('CONTROL_CHARACTER');
  return value;
}

/** The fields of an HTTP/2 response as a flat list, from HTTP/1.1 header lines; `length` is that of the body, where it is told. */
export function http2ResponseFields(
  status: number,
  lines: string,
  length: number | undefined,
): string[] {
  const fields = [':status', String(status)];
  eachLine(lines, (name, value) => {
    if (!CONNECTION_FIELDS.has(name)) fields.push(name, value);
  });
  if (length !== undefined) fields.push('content-length', String(length));
  return fields;
}
