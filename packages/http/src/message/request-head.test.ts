import { describe, expect, it } from 'vitest';
import { HttpProtocolError } from '../protocol/protocol-error.ts';
import { DEFAULT_HEAD_LIMITS, parseRequestHead, type RequestHead } from './request-head.ts';

function parse(text: string): RequestHead | undefined {
  const bytes = Buffer.from(text, 'latin1');
  return parseRequestHead(bytes, 0, bytes.length, DEFAULT_HEAD_LIMITS);
}

function faultOf(text: string): string {
  try {
    return parse(text) === undefined ? 'incomplete' : 'accepted';
  } catch (error) {
    if (error instanceof HttpProtocolError) return `${error.status} ${error.code}`;
    throw error;
  }
}

const H = 'Host: a\r\n';
const get = (lines: string): string => `GET / HTTP/1.1\r\n${H}${lines}\r\n`;
const post = (lines: string): string => `POST / HTTP/1.1\r\n${H}${lines}\r\n`;

describe('a request head is refused', () => {
  it.each([
    ['400 LENGTH_AND_ENCODING', post('Content-Length: 1\r\nTransfer-Encoding: chunked\r\n')],
    ['400 CONTENT_LENGTH_DUPLICATE', post('Content-Length: 2\r\ncontent-length: 2\r\n')],
    ['400 CONTENT_LENGTH_INVALID', post('Content-Length: 2, 2\r\n')],
    ['400 CONTENT_LENGTH_INVALID', post('Content-Length: +2\r\n')],
    ['400 CONTENT_LENGTH_INVALID', post('Content-Length:\r\n')],
    ['501 TRANSFER_ENCODING_UNSUPPORTED', post('Transfer-Encoding: ,chunked\r\n')],
    ['501 TRANSFER_ENCODING_UNSUPPORTED', post('Transfer-Encoding: gzip, chunked\r\n')],
    ['501 TRANSFER_ENCODING_UNSUPPORTED', post('Transfer-Encoding: xchunked\r\n')],
    [
      '400 TRANSFER_ENCODING_DUPLICATE',
      post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n'),
    ],
    [
      '400 TRANSFER_ENCODING_IN_HTTP_1_0',
      `POST / HTTP/1.0\r\n${H}Transfer-Encoding: chunked\r\n\r\n`,
    ],
    ['400 SPACE_BEFORE_COLON', get('A : b\r\n')],
    ['400 OBSOLETE_FOLD', get('A: b\r\n c\r\n')],
    ['400 OBSOLETE_FOLD', `GET / HTTP/1.1\r\n ${H}\r\n`],
    ['400 FIELD_NAME_EMPTY', get(': b\r\n')],
    ['400 FIELD_NAME_INVALID', get('A\r\n')],
    ['400 BARE_LF', get('A: b\nC: d\r\n')],
    ['400 BARE_LF', 'GET / HTTP/1.1\nHost: a\n\n'],
    ['400 BARE_CR', get('A: b\rC: d\r\n')],
    ['400 CONTROL_CHARACTER', get('A: b\0\r\n')],
    ['400 HOST_MISSING', 'GET / HTTP/1.1\r\nA: b\r\n\r\n'],
    ['400 HOST_DUPLICATE', get('Host: a\r\n')],
    ['400 HOST_INVALID', 'GET / HTTP/1.1\r\nHost: a/b c\r\n\r\n'],
    ['400 HOST_INVALID', 'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n'],
    ['400 HOST_INVALID', 'GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n'],
    ['400 TARGET_INVALID', `GET /a#b HTTP/1.1\r\n${H}\r\n`],
    ['400 TARGET_INVALID', `GET /a\\b HTTP/1.1\r\n${H}\r\n`],
    ['400 TARGET_INVALID', `GET /\xe9 HTTP/1.1\r\n${H}\r\n`],
    ['400 TARGET_INVALID', `GET * HTTP/1.1\r\n${H}\r\n`],
    ['414 TARGET_TOO_LONG', `GET /${'a'.repeat(9000)} HTTP/1.1\r\n${H}\r\n`],
    ['501 METHOD_NOT_SUPPORTED', `CONNECT a:1 HTTP/1.1\r\n${H}\r\n`],
    ['505 VERSION_NOT_SUPPORTED', `GET / HTTP/2.0\r\n${H}\r\n`],
    ['505 VERSION_NOT_SUPPORTED', `GET / HTTP/1.2\r\n${H}\r\n`],
    ['400 REQUEST_LINE_MALFORMED', 'GET /  HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['431 HEAD_TOO_LARGE', get(`A: ${'b'.repeat(17_000)}\r\n`)],
    ['431 TOO_MANY_FIELDS', get('A: b\r\n'.repeat(100))],
    ['400 UPGRADE_WITH_BODY', get('Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n')],
    ['400 CONNECTION_NAMES_PROTECTED_FIELD', get('Connection: close, X-Forwarded-For\r\n')],
    ['400 CONNECTION_NAMES_PROTECTED_FIELD', get('Connection: Authorization\r\n')],
    ['417 EXPECTATION_UNKNOWN', post('Expect: tea\r\n')],
  ])('with %s: %j', (fault, text) => {
    expect(faultOf(text)).toBe(fault);
  });
});

describe('a request head is read', () => {
  it('with the authority of an absolute-form target in place of Host', () => {
    const head = parse('GET http://b.example:8080/x?y HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(head).toMatchObject({ host: 'b.example:8080', hostName: 'b.example', target: '/x?y' });
  });

  it('with white space about the options of Connection, but no other byte taken for it', () => {
    const options = (value: string): unknown[] => {
      const head = parse(get(`Connection: ${value}\r\n`));
      return [head?.connectionClose, head?.connectionKeepAlive];
    };
    expect(options(' ,\tclose\t , keep-alive')).toEqual([true, true]);
    expect(options('\xa0close')).toEqual([false, false]);
    expect(options('keep-alive\xa0, x')).toEqual([false, false]);
  });

  it('only when it is complete, at whichever byte it is cut', () => {
    const text = post('Content-Length: 5\r\nConnection: X-Own\r\nX-Own: 1\r\n');
    for (let cut = 0; cut < text.length; cut++)
      expect(faultOf(text.slice(0, cut))).toBe('incomplete');
    expect(parse(text)?.framing).toEqual({ kind: 'length', length: 5 });
    expect(parse(text)?.linesWithout(1)).toBe('Host: a\r\nContent-Length: 5\r\n');
  });
});
