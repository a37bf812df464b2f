import { describe, expect, it } from 'vitest';
import { DEFAULT_HEAD_LIMITS } from './request-head.ts';
import { parseResponseHead, type ResponseHead } from './response-head.ts';

function parse(text: string, toHead = false): ResponseHead | undefined {
  const bytes = Buffer.from(text, 'latin1');
  return parseResponseHead(bytes, 0, bytes.length, DEFAULT_HEAD_LIMITS, toHead);
}

describe('a response head', () => {
  it.each([
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: X-Own\r\nX-Own: 1\r\n\r\n',
    'HTTP/1.0 404\r\n\r\n',
    'HTTP/1.1 503 \r\nA:\r\n\r\n',
  ])('is read only when it is complete, at whichever byte it is cut: %j', (text) => {
    for (let cut = 0; cut < text.length; cut++) expect(parse(text.slice(0, cut))).toBeUndefined();
    expect(parse(`${text}rest`)?.text).toBe(text);
  });

  it.each([
    ['none', 'none', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['length', 'none', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n'],
    ['length', 'length', 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n'],
    ['chunked', 'chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n'],
    ['until-close', 'until-close', 'HTTP/1.1 200 OK\r\n\r\n'],
  ])('declares %s and is framed by %s: %j', (declared, framing, text) => {
    const head = parse(text);
    expect([head?.declared.kind, head?.framing.kind]).toEqual([declared, framing]);
    expect(parse(text, true)?.framing.kind).toBe('none');
  });

  it('ignores a Connection that names an end-to-end field, and drops one of its own', () => {
    const head = parse('HTTP/1.1 200 OK\r\nConnection: Date, X-Own\r\nDate: d\r\nX-Own: 1\r\n\r\n');
    expect(head?.linesWithout(1)).toBe('Date: d\r\n');
  });
});
