import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HttpProtocolError } from '../protocol/protocol-error.ts';
import {
  http2FieldLines,
  http2RequestFields,
  http2ResponseText,
  http2Trailers,
} from './http2-lines.ts';
import { DEFAULT_HEAD_LIMITS } from './request-head.ts';
import { parseResponseHead } from './response-head.ts';

function parsed(raw: readonly string[], complete = false, toHead = false) {
  const bytes = Buffer.from(http2ResponseText(raw, complete, toHead), 'latin1');
  const head = parseResponseHead(bytes, 0, bytes.length, DEFAULT_HEAD_LIMITS, toHead);
  if (head === undefined) throw new Error('no whole head');
  return head;
}

describe('an HTTP/2 response head', () => {
  it('reads as the same fields in HTTP/1.1, and no others, whatever is in them', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', 'Z', ':', ' ', '\r', '\n', '\0', '\xe9', ','),
    });
    const name = fc.oneof(fc.constantFrom('x-a', 'x-b', 'set-cookie'), text);
    fc.assert(
      fc.property(fc.array(fc.tuple(name, text), { maxLength: 4 }), (pairs) => {
        let head: ReturnType<typeof parsed>;
        try {
          head = parsed([':status', '204', ...pairs.flat()]);
        } catch (error) {
          expect(error).toBeInstanceOf(HttpProtocolError);
          return;
        }
        expect(head.raw).toEqual(pairs.flatMap(([key, value]) => [key, value.trim()]));
      }),
    );
  });

  it.each([
    [['x-a', 'b\r\nset-cookie: c'], 'CONTROL_CHARACTER'],
    [['x-a', 'b\nc'], 'CONTROL_CHARACTER'],
    [['x-a: b\r\nx-c', 'd'], 'FIELD_NAME_INVALID'],
    [['X-A', 'b'], 'FIELD_NAME_INVALID'],
    [['', 'b'], 'FIELD_NAME_INVALID'],
    [[':status', '200'], 'FIELD_NAME_INVALID'],
    [['connection', 'close'], 'CONNECTION_INVALID'],
    [['transfer-encoding', 'chunked'], 'CONNECTION_INVALID'],
    [['upgrade', 'h2c'], 'CONNECTION_INVALID'],
    [['content-length', '1', 'content-length', '2'], 'CONTENT_LENGTH_DUPLICATE'],
    [['content-length', '+1'], 'CONTENT_LENGTH_INVALID'],
  ])('with %j is refused with %s', (fields, code) => {
    expect(() => parsed([':status', '200', ...fields])).toThrow(
      expect.objectContaining({ code }) as Error,
    );
  });

  it.each([
    ['20', 'STATUS_LINE_MALFORMED'],
    ['2000', 'STATUS_LINE_MALFORMED'],
    ['099', 'STATUS_LINE_MALFORMED'],
    ['200 \r\nx: y', 'STATUS_LINE_MALFORMED'],
    ['101', 'SWITCH_UNASKED'],
  ])('with the status %j is refused with %s', (status, code) => {
    expect(() => parsed([':status', status])).toThrow(expect.objectContaining({ code }) as Error);
    expect(() => parsed(['x-a', 'b'])).toThrow(HttpProtocolError);
  });

  it('is framed by its length, else as chunked, and as empty where it is complete', () => {
    expect(parsed([':status', '200', 'content-length', '7']).framing).toMatchObject({ length: 7 });
    expect(parsed([':status', '200']).framing.kind).toBe('chunked');
    expect(parsed([':status', '200'], true).framing).toMatchObject({ length: 0 });
    expect(parsed([':status', '304']).framing.kind).toBe('none');
    expect(parsed([':status', '204']).classes).toBe(0);
    expect(parsed([':status', '103']).classes).toBe(0);
    expect(parsed([':status', '200'], true, true).declared.kind).toBe('none');
  });
});

describe('HTTP/1.1 header lines', () => {
  it('become HTTP/2 fields without what belongs to a connection', () => {
    const lines =
      'Host: a.example:8080\r\nTE: gzip\r\nConnection: x\r\nUpgrade: y\r\nAccept:  b \r\nContent-Length: 9\r\n';
    const request = { method: 'PUT', scheme: 'https', target: '/c' };
    expect(http2RequestFields(request, lines, 3)).toEqual([
      ...[':method', 'PUT', ':scheme', 'https', ':authority', 'a.example:8080', ':path', '/c'],
      ...['accept', 'b', 'content-length', '3', 'te', 'trailers'],
    ]);
  });

  it('become trailers, repeated ones as lists', () => {
    expect(http2Trailers('Grpc-Status: 0\r\nA: 1\r\na: 2\r\nConnection: b\r\n')).toEqual({
      'grpc-status': ['0'],
      a: ['1', '2'],
    });
    expect(http2Trailers('')).toEqual({});
  });

  it('are what fields become and the other way round', () => {
    const raw = ['a', '1', 'b', '2'];
    expect(http2FieldLines(raw, 0)).toBe('a: 1\r\nb: 2\r\n');
  });
});
