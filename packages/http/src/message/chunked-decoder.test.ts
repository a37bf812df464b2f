import { describe, expect, it } from 'vitest';
import { HttpProtocolError } from '../protocol/protocol-error.ts';
import { ChunkedDecoder, DEFAULT_CHUNKED_LIMITS } from './chunked-decoder.ts';

function decode(pieces: readonly string[]): {
  body: string;
  done: boolean;
  rest: string;
  trailer: string | undefined;
} {
  const decoder = new ChunkedDecoder(DEFAULT_CHUNKED_LIMITS);
  let body = '';
  let rest = '';
  const sink = {
    onBodyData(piece: Buffer): void {
      body += piece.toString('latin1');
    },
  };
  for (const text of pieces) {
    const bytes = Buffer.from(text, 'latin1');
    const at = decoder.done ? 0 : decoder.push(bytes, 0, sink);
    rest += bytes.subarray(at).toString('latin1');
  }
  return { body, done: decoder.done, rest, trailer: decoder.trailers?.get('x-sum') };
}

function faultOf(text: string): string {
  try {
    return decode([text]).done ? 'accepted' : 'incomplete';
  } catch (error) {
    if (error instanceof HttpProtocolError) return error.code;
    throw error;
  }
}

describe('the chunked coding', () => {
  it.each([
    '5;a;b=c;d="e;\\"\t"\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\nNEXT',
    '5\r\nhello\r\n0\r\n\r\nNEXT',
  ])('is undone alike at every split of %j', (text) => {
    const whole = decode([text]);
    expect(whole).toMatchObject({ body: 'hello', done: true, rest: 'NEXT' });
    for (let cut = 0; cut <= text.length; cut++) {
      expect(decode([text.slice(0, cut), text.slice(cut)])).toEqual(whole);
    }
    expect(decode([...text])).toEqual(whole);
  });

  it.each([
    ['CHUNK_SIZE_INVALID', '0x2\r\n'],
    ['CHUNK_SIZE_INVALID', '+2\r\n'],
    ['CHUNK_SIZE_INVALID', '2 \r\n'],
    ['CHUNK_SIZE_INVALID', '\r\n'],
    ['CHUNK_SIZE_INVALID', 'fffffffffffffffff\r\n'],
    ['BARE_LF', '2\nab'],
    ['BARE_CR', '2\rab'],
    ['BARE_LF', '2;x\nab'],
    ['CHUNK_TERMINATOR_INVALID', '2\r\nabc'],
    ['CHUNK_TERMINATOR_INVALID', '2\r\nab\n'],
    ['CHUNK_EXTENSION_INVALID', '2;\r\nab'],
    ['CHUNK_EXTENSION_INVALID', '2; a\r\nab'],
    ['CHUNK_EXTENSION_INVALID', '2;a=\r\nab'],
    ['CHUNK_EXTENSION_INVALID', '2;a="\r\nab'],
    ['CHUNK_EXTENSION_INVALID', '2;a="b"c\r\nab'],
    ['CHUNK_EXTENSION_INVALID', '2;a\0\r\nab'],
    ['CHUNK_EXTENSIONS_TOO_LARGE', `2;${'x'.repeat(5000)}`],
    ['TRAILERS_TOO_LARGE', `0\r\nA: ${'b'.repeat(9000)}\r\n\r\n`],
    ['TRAILER_FORBIDDEN', '0\r\nContent-Length: 1\r\n\r\n'],
    ['BARE_LF', '0\r\nA: b\n\r\n'],
  ])('is refused with %s: %j', (code, text) => {
    expect(faultOf(text)).toBe(code);
  });
});
