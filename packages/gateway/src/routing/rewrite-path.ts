import { canonicalTarget, HttpProtocolError } from '@portolan/http';
import { RE2JS } from 're2js';

/** The path to send upstream: what matched is replaced by `rewrite`, or cut when that is empty. */
export function rewritePath(path: string, matchedPath: string, rewrite: string): string {
  const rest = path.slice(matchedPath.length);
  if (rest === '') return rewrite === '' ? '/' : rewrite;
  const base = rewrite.endsWith('/') ? rewrite.slice(0, -1) : rewrite;
  return rest.startsWith('/') ? base + rest : `${base}/${rest}`;
}

/** Rewrites a path by a pattern; undefined when what came out is no path. */
export type PathRewriter = (path: string) => string | undefined;

/**
 * Compiles a rewrite of everything the pattern matches in a path; `\1` in the substitution is the first group. Throws a
 * RangeError for a pattern or substitution that is none.
 */
export function compileRewrite(rewrite: {
  readonly pattern: string;
  readonly substitution: string;
}): PathRewriter {
  let pattern: RE2JS;
  try {
    pattern = RE2JS.compile(rewrite.pattern);
  } catch (cause) {
    throw new RangeError(`"${rewrite.pattern}" is not a pattern in RE2's syntax`, { cause });
  }
  const parts = readSubstitution(rewrite.substitution, pattern.groupCount());
  return (path) => {
    const rewritten = pattern
      .matcher(path)
      .replaceAll((...match: unknown[]) =>
        parts.map((part) => (typeof part === 'string' ? part : (match[part] ?? ''))).join(''),
      );
    if (!rewritten.startsWith('/')) return undefined;
    try {
      return canonicalTarget(rewritten).path;
    } catch (error) {
      if (error instanceof HttpProtocolError) return undefined;
      throw error;
    }
  };
}

/** Texts, and the numbers of groups between them. */
function readSubstitution(substitution: string, groups: number): readonly (string | number)[] {
  const parts: (string | number)[] = [];
  for (const [text, group, escaped] of substitution.matchAll(/\\(\d)|\\(.)|[^\\]+|\\/g)) {
    if (group !== undefined) {
      if (Number(group) > groups) {
        throw new RangeError(`\\${group} in the substitution has no group in the pattern`);
      }
      parts.push(Number(group));
    } else parts.push(escaped ?? text);
  }
  // What a path may be made of (RFC 3986 §3.3); the groups are cut from one.
  if (parts.some((part) => typeof part === 'string' && !/^[\w.~!$&'()*+,;=:@%/-]*$/.test(part))) {
    throw new RangeError(`"${substitution}" holds characters that no path may hold`);
  }
  return parts;
}
