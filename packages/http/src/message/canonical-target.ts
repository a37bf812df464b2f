import { HEX_VALUE, UNRESERVED } from '../protocol/byte-classes.ts';
import { HttpProtocolError } from '../protocol/protocol-error.ts';

/** The one form of a request target that is matched, authorised, rewritten and forwarded. */
export interface CanonicalTarget {
  /** Begins with `/` (or is `*`). */
  readonly path: string;
  /** As received, with its `?`; empty when there is none. `path + query` is what to forward. */
  readonly query: string;
}

export interface CanonicalTargetPolicy {
  /** `%2F` in the path: refused (default), or kept as `%2F`, never decoded. */
  readonly encodedSlash: 'refuse' | 'keep';
}

const DEFAULT_POLICY: CanonicalTargetPolicy = { encodedSlash: 'refuse' };

/**
 * Normalises as RFC 3986 §6.2.2: percent-encoded unreserved characters are decoded, other percent-encodings get upper-case
 * digits, dot segments are resolved. Empty segments (`//`) stay as they are: they are part of the path's identity. Refused are
 * an encoded NUL, backslash and, by policy, slash; a broken percent-encoding; and `..;x`, which some servers take for `..`.
 */
export function canonicalTarget(
  target: string,
  policy: CanonicalTargetPolicy = DEFAULT_POLICY,
): CanonicalTarget {
  const mark = target.indexOf('?');
  const rawPath = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? '' : target.slice(mark);
  if (rawPath === '*') return { path: rawPath, query };
  const decoded = rawPath.includes('%') ? normalisePercents(rawPath, policy) : rawPath;
  const path = decoded.includes('/.') ? resolveDots(decoded) : decoded;
  return { path, query };
}

function normalisePercents(path: string, policy: CanonicalTargetPolicy): string {
  let result = '';
  let from = 0;
  for (let at = path.indexOf('%'); at >= 0; at = path.indexOf('%', at + 3)) {
    const high = at + 2 < path.length ? hexValue(path.charCodeAt(at + 1)) : 255;
    const low = at + 2 < path.length ? hexValue(path.charCodeAt(at + 2)) : 255;
    if (high > 15 || low > 15) throw new HttpProtocolError('TARGET_ENCODING_INVALID');
    const byte = high * 16 + low;
    if (byte === 0) throw new HttpProtocolError('TARGET_ENCODED_NUL');
    if (byte === 0x5c) throw new HttpProtocolError('TARGET_ENCODED_BACKSLASH');
    if (byte === 0x2f && policy.encodedSlash === 'refuse') {
      throw new HttpProtocolError('TARGET_ENCODED_SLASH');
    }
    result += path.slice(from, at);
    result +=
      UNRESERVED[byte] === 1 ? String.fromCharCode(byte) : path.slice(at, at + 3).toUpperCase();
    from = at + 3;
  }
  return result + path.slice(from);
}

function hexValue(code: number): number {
  return HEX_VALUE[code] ?? 255;
}

const DOT_WITH_PARAMETER = /^\.\.?(?:;|%3B)/;

/** RFC 3986 §5.2.4; `..` above the root stays at the root. */
function resolveDots(path: string): string {
  const segments = path.split('/');
  const kept: string[] = [];
  for (let index = 1; index < segments.length; index++) {
    const segment = segments[index] ?? '';
    const last = index === segments.length - 1;
    if (DOT_WITH_PARAMETER.test(segment)) {
      throw new HttpProtocolError('TARGET_DOT_PARAMETER');
    }
    if (segment === '..') kept.pop();
    if (segment === '.' || segment === '..') {
      if (last) kept.push('');
    } else kept.push(segment);
  }
  return `/${kept.join('/')}`;
}
