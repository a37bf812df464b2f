import { expect, test } from 'vitest';
import { readAnswer } from './read-answer.ts';

const read = (text: string) => {
  const answer = readAnswer(Buffer.from(text, 'latin1'));
  return typeof answer === 'object' ? { ...answer, body: answer.body.toString() } : answer;
};

test('a body ends where its Content-Length says', () => {
  const text = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP';
  expect(read(text)).toEqual({ status: 200, body: 'ok', end: text.length - 4, closes: false });
});

test('a 204 has no body and needs no Content-Length', () => {
  const text = 'HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n';
  expect(read(text)).toEqual({ status: 204, body: '', end: text.length, closes: true });
});

test('chunks are put together, and an answer is not whole before the last one', () => {
  const text =
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n';
  expect(read(text)).toEqual({
    status: 200,
    body: 'abc0123456789',
    end: text.length,
    closes: false,
  });
  for (let length = 0; length < text.length; length++) {
    expect(read(text.slice(0, length))).toBeUndefined();
  }
});

test.each([
  ['HTTP/1.1 200 OK\r\n\r\n', 'an answer that is not HTTP/1.1 with a Content-Length or chunks'],
  [
    'SSH-2.0-x\r\nContent-Length: 0\r\n\r\n',
    'an answer that is not HTTP/1.1 with a Content-Length or chunks',
  ],
  ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', 'an answer with a faulty chunk'],
  [`HTTP/1.1 200 OK\r\n${'x'.repeat(65_536)}`, 'an answer without end of its head'],
])('what can be no answer is said to be none (%#)', (text, why) => {
  expect(read(text)).toBe(why);
});
