import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HttpProtocolError } from '../protocol/protocol-error.ts';
import { canonicalTarget } from './canonical-target.ts';

function canonical(target: string): string {
  try {
    const { path, query } = canonicalTarget(target);
    return path + query;
  } catch (error) {
    if (error instanceof HttpProtocolError) return error.code;
    throw error;
  }
}

describe('a canonical target', () => {
  it.each([
    ['/', '/'],
    ['*', '*'],
    ['/a/b?c=/../%2e', '/a/b?c=/../%2e'],
    ['/%61%2Db%7e', '/a-b~'],
    ['/%3a%c3%a9', '/%3A%C3%A9'],
    ['/a/./b/../c', '/a/c'],
    ['/a/%2e%2E/b', '/b'],
    ['/a/.%2e', '/'],
    ['/../../a', '/a'],
    ['/a/.', '/a/'],
    ['//a//b', '//a//b'],
    ['/a/...', '/a/...'],
    ['/%252e%252e/a', '/%252e%252e/a'],
    ['/a%2fb', 'TARGET_ENCODED_SLASH'],
    ['/a%5Cb', 'TARGET_ENCODED_BACKSLASH'],
    ['/a%00', 'TARGET_ENCODED_NUL'],
    ['/a%', 'TARGET_ENCODING_INVALID'],
    ['/a%4', 'TARGET_ENCODING_INVALID'],
    ['/a%4g', 'TARGET_ENCODING_INVALID'],
    ['/a/..;x/b', 'TARGET_DOT_PARAMETER'],
    ['/a/%2e%2e;x/b', 'TARGET_DOT_PARAMETER'],
    ['/a/..%3bx/b', 'TARGET_DOT_PARAMETER'],
  ])('of %s is %s', (target, expected) => {
    expect(canonical(target)).toBe(expected);
  });

  it('keeps an encoded slash encoded where policy allows it', () => {
    expect(canonicalTarget('/a%2fb/../c', { encodedSlash: 'keep' }).path).toBe('/c');
    expect(canonicalTarget('/a%2fb', { encodedSlash: 'keep' }).path).toBe('/a%2Fb');
  });

  const piece = fc.constantFrom(
    ...['/', '//', '.', '..', ';', '%2e', '%2E', '%3B', '%25', '%2f', '%61', 'a', ':@!$&', '%c3'],
  );
  const targets = fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`);

  it('is canonical itself and holds no dot segment, encoded or not', () => {
    fc.assert(
      fc.property(targets, (target) => {
        let path: string;
        try {
          path = canonicalTarget(target, { encodedSlash: 'keep' }).path;
        } catch (error) {
          expect(error).toBeInstanceOf(HttpProtocolError);
          return;
        }
        expect(canonicalTarget(path, { encodedSlash: 'keep' }).path).toBe(path);
        for (const segment of path.split('/')) {
          expect(segment).not.toMatch(/^(\.|%2e){1,2}(;|%3b|$)/i);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('keeps every reserved character as it was, encoded or not', () => {
    const reserved = fc.constantFrom(
      ...[...":@!$&'()*+,;="].flatMap((mark) => [
        mark,
        `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
      ]),
    );
    fc.assert(
      fc.property(fc.array(reserved), (marks) => {
        const path = `/a${marks.join('')}`;
        expect(canonicalTarget(path).path).toBe(path);
      }),
    );
  });
});
