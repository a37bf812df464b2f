import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HttpProtocolError } from '../protocol/protocol-error.ts';
import { http2RequestText } from './http2-lines.ts';
import { DEFAULT_HEAD_LIMITS, parseRequestHead } from './request-head.ts';

const GET = [':method', 'GET', ':scheme', 'http', ':authority', 'a', ':path', '/'];

function codeOf(raw: readonly string[], complete = true): string {
  try {
    const bytes = Buffer.from(http2RequestText(raw, complete), 'latin1');
    const head = parseRequestHead(bytes, 0, bytes.length, DEFAULT_HEAD_LIMITS);
    return head === undefined ? 'incomplete' : 'fine';
  } catch (error) {
    return error instanceof HttpProtocolError ? error.code : String(error);
  }
}

/** The usual request with one pseudo-header field changed. */
const withField = (name: string, value: string): string[] =>
  GET.map((text, at) => (GET[at - 1] === name ? value : text));

describe('an HTTP/2 request as HTTP/1.1 text', () => {
  test('says the same', () => {
    const raw = [...GET, 'accept', '*/*', 'cookie', 'a=1', 'te', 'trailers', 'cookie', 'b=2'];
    expect(http2RequestText(raw, true)).toBe(
      'GET / HTTP/1.1\r\nhost: a\r\naccept: */*\r\ncookie: a=1; b=2\r\n\r\n',
    );
  });

  test('frames a body whose length is not told', () => {
    expect(http2RequestText(GET, false)).toContain('transfer-encoding: chunked\r\n');
    const told = http2RequestText([...GET, 'content-length', '5'], false);
    expect(told).not.toContain('transfer-encoding');
  });

  test.each([
    ['a line break in the path', withField(':path', '/a HTTP/1.1\r\nx: y'), 'TARGET_INVALID'],
    ['a space in the path', withField(':path', '/a b'), 'TARGET_INVALID'],
    ['an absolute path', withField(':path', 'http://evil/'), 'TARGET_INVALID'],
    ['no path', GET.slice(0, 6), 'TARGET_INVALID'],
    ['an empty path', withField(':path', ''), 'TARGET_INVALID'],
    ['a line break in the method', withField(':method', 'GET / HTTP/1.1\r\nx'), 'METHOD_INVALID'],
    ['a tunnel', withField(':method', 'CONNECT'), 'METHOD_NOT_SUPPORTED'],
    ['another scheme', withField(':scheme', 'file'), 'PSEUDO_FIELD_INVALID'],
    ['a line break in the authority', withField(':authority', 'a\r\nx: y'), 'CONTROL_CHARACTER'],
    ['an authority that is none', withField(':authority', 'a/b'), 'HOST_INVALID'],
    ['no authority', [...GET.slice(0, 4), ':path', '/'], 'HOST_MISSING'],
    ['another Host beside it', [...GET, 'host', 'b'], 'HOST_DUPLICATE'],
    ['two Hosts', [...GET, 'host', 'a', 'host', 'a'], 'HOST_DUPLICATE'],
    ['an upper-case name', [...GET, 'Accept', '*/*'], 'FIELD_NAME_INVALID'],
    ['an empty name', [...GET, '', 'x'], 'FIELD_NAME_INVALID'],
    ['a colon in a name', [...GET, 'a:b', 'x'], 'FIELD_NAME_INVALID'],
    [
      'a line break in a value',
      [...GET, 'a', 'x\r\ntransfer-encoding: chunked'],
      'CONTROL_CHARACTER',
    ],
    ['a NUL in a value', [...GET, 'a', 'x\0'], 'CONTROL_CHARACTER'],
    ['a line break in a cookie', [...GET, 'cookie', 'x\r\n'], 'CONTROL_CHARACTER'],
    ['a transfer coding', [...GET, 'transfer-encoding', 'chunked'], 'CONNECTION_INVALID'],
    ['a connection field', [...GET, 'connection', 'close'], 'CONNECTION_INVALID'],
    ['an upgrade', [...GET, 'upgrade', 'websocket'], 'CONNECTION_INVALID'],
    ['another TE', [...GET, 'te', 'gzip'], 'CONNECTION_INVALID'],
    ['a repeated pseudo-header field', [...GET, ':path', '/b'], 'PSEUDO_FIELD_INVALID'],
    ['an unknown one', [...GET, ':protocol', 'websocket'], 'PSEUDO_FIELD_INVALID'],
    ['one behind others', ['accept', '*/*', ...GET], 'PSEUDO_FIELD_INVALID'],
    ['a length that is no number', [...GET, 'content-length', '+1'], 'CONTENT_LENGTH_INVALID'],
    [
      'two lengths',
      [...GET, 'content-length', '1', 'content-length', '1'],
      'CONTENT_LENGTH_DUPLICATE',
    ],
  ])('is refused for %s', (_what, raw, code) => {
    expect(codeOf(raw)).toBe(code);
  });

  test('the same Host beside the authority is one', () => {
    expect(codeOf([...GET, 'host', 'a'])).toBe('fine');
  });

  test('whatever is in the fields, what is accepted has just the fields that came', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', ':', ' ', '\r', '\n', '\0', '/', '\t', 'é'),
    });
    fc.assert(
      fc.property(text, text, text, text, text, (method, path, authority, name, value) => {
        const raw = [':method', method, ':scheme', 'http', ':authority', authority, ':path', path];
        try {
          const bytes = Buffer.from(http2RequestText([...raw, name, value], true), 'latin1');
          const head = parseRequestHead(bytes, 0, bytes.length, DEFAULT_HEAD_LIMITS);
          expect(head?.fieldCount).toBe(2);
          expect(head?.target).toBe(path);
          expect(head?.text.length).toBe(bytes.length);
        } catch (error) {
          if (!(error instanceof HttpProtocolError)) throw error;
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
