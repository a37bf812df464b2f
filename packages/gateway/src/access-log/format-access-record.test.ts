import { parseRequestHead, type RequestHead } from '@portolan/http';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AccessRecord } from '../proxy/proxy-context.ts';
import { accessRecordFormatter } from './format-access-record.ts';

const WALL_MS = Date.UTC(2026, 10, 4, 8, 3, 9, 7);
const LIMITS = { headBytes: 16_384, maxFields: 100, targetBytes: 8_192 };

function headOf(lines: string, target = '/a?b=1'): RequestHead {
  const bytes = Buffer.from(`GET ${target} HTTP/1.1\r\nHost: x\r\n${lines}\r\n`, 'latin1');
  const head = parseRequestHead(bytes, 0, bytes.length, LIMITS);
  if (head === undefined) throw new Error('no head');
  return head;
}

const recordOf = (over: Partial<AccessRecord> = {}, lines = ''): AccessRecord => ({
  requestId: 'r-1',
  method: 'GET',
  host: 'x',
  path: '/a',
  peer: '192.0.2.1',
  protocol: 'HTTP/1.1',
  secure: false,
  status: 200,
  receivedBytes: 0,
  sentBytes: 12,
  route: 'default/shop',
  endpoint: { id: 'i', address: '::1', port: 80 },
  tries: 1,
  durationMs: 1.23456,
  errorCode: undefined,
  head: headOf(lines),
  ...over,
});

const inFormat = (format: 'json' | 'common' | 'combined', headers: readonly string[] = []) =>
  accessRecordFormatter({ format, headers });

describe('a line of the access log', () => {
  test('in the common format', () => {
    expect(inFormat('common')(recordOf(), WALL_MS)).toBe(
      '192.0.2.1 - - [04/Nov/2026:08:03:09 +0000] "GET /a?b=1 HTTP/1.1" 200 12\n',
    );
    expect(
      inFormat('common')(recordOf({ peer: '2001:db8::1', sentBytes: 0, status: 0 }), WALL_MS),
    ).toBe('2001:db8::1 - - [04/Nov/2026:08:03:09 +0000] "GET /a?b=1 HTTP/1.1" 0 -\n');
  });

  test('in the combined format, with what the client says of itself', () => {
    const record = recordOf({}, 'Referer: http://y/\r\nUser-Agent: curl/8\r\n');
    expect(inFormat('combined')(record, WALL_MS)).toMatch(/ 200 12 "http:\/\/y\/" "curl\/8"\n$/);
    expect(inFormat('combined')(recordOf(), WALL_MS)).toMatch(/ 200 12 "-" "-"\n$/);
  });

  test('as JSON, with the headers that were asked for', () => {
    const record = recordOf({ errorCode: 'NO_ROUTE', route: undefined }, 'X-A: 1\r\nX-A: 2\r\n');
    expect(JSON.parse(inFormat('json', ['x-a', 'x-b'])(record, WALL_MS))).toEqual({
      time: '2026-11-04T08:03:09.007Z',
      requestId: 'r-1',
      client: '192.0.2.1',
      method: 'GET',
      host: 'x',
      target: '/a?b=1',
      protocol: 'HTTP/1.1',
      tls: false,
      status: 200,
      receivedBytes: 0,
      sentBytes: 12,
      durationMs: 1.235,
      instance: 'i',
      endpoint: '[::1]:80',
      tries: 1,
      error: 'NO_ROUTE',
      headers: { 'x-a': '1, 2' },
    });
  });

  test('cannot be forged by what a client sends', () => {
    const record = recordOf({}, 'User-Agent: a" 200 1\\\x80\r\nReferer: \t[31m\r\n');
    const line = inFormat('combined')(record, WALL_MS);
    expect(line).toContain('"[31m" "a\\x22 200 1\\x5C\\x80"\n');
  });

  test('is one line whatever is in it, and its JSON reads back', () => {
    const text = fc.string({
      unit: fc
        .integer({ min: 0x20, max: 0xff })
        .map((code) => String.fromCharCode(code))
        .filter((char) => char !== '\x7f'),
    });
    fc.assert(
      fc.property(text, text, (agent, referer) => {
        const lines = `User-Agent: ${agent}\r\nReferer: ${referer}\r\n`;
        const record = recordOf({}, lines);
        for (const format of ['json', 'common', 'combined'] as const) {
          expect(inFormat(format)(record, WALL_MS)).toMatch(/^[^\n\r]+\n$/);
        }
        const read = JSON.parse(inFormat('json')(record, WALL_MS));
        expect(read.userAgent).toBe(record.head.get('user-agent'));
        expect(inFormat('combined')(record, WALL_MS)).toMatch(/^[\x20-\x7e]+\n$/);
      }),
    );
  });
});
