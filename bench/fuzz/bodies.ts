import type { Random } from '@portolan/core';
import { SIZES } from './message-parts.ts';
import { below, pick } from './mutate.ts';

const EXTENSIONS = [
  ';a',
  ';a=b',
  ';a="b c"',
  ';',
  ' ;a',
  '; a',
  ';;a',
  ';=b',
  ';a=',
  ';a="b',
  ';a="b"c',
  ';a\tb',
  ';a=b;c="\\""',
];
const CHUNK_ENDS = ['\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '', '\r\n\r\n', 'x\r\n'];
const TRAILERS = [
  'X-Sum: 1',
  'X-Sum:',
  'Content-Length: 3',
  'Transfer-Encoding: chunked',
  'Host: b',
  ' fold',
  'A : b',
  'Forwarded: a',
];

/** A body that may look like something else. */
export function aBody(random: Random): string {
  return pick(random, [
    '',
    'abc',
    'abc\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    '0\r\n\r\n',
    '\0\xff\n',
  ]);
}

/** The same in the chunked coding, sometimes wrongly. */
export function aChunkedBody(random: Random): string {
  const odd = random() < 0.3;
  let text = '';
  for (let count = below(random, 3); count > 0; count--) {
    const chunk = aBody(random);
    if (chunk === '') continue;
    const size = odd && random() < 0.5 ? pick(random, SIZES) : chunk.length.toString(16);
    const extension = random() < 0.2 ? pick(random, odd ? EXTENSIONS : EXTENSIONS.slice(0, 3)) : '';
    text += `${size}${extension}${odd ? pick(random, CHUNK_ENDS) : '\r\n'}`;
    text += `${chunk}${odd ? pick(random, CHUNK_ENDS) : '\r\n'}`;
  }
  const last = odd ? pick(random, ['0', '0', '00', '0;a', '', '-0', '0x0']) : '0';
  const trailer =
    random() < 0.25 ? `${pick(random, odd ? TRAILERS : TRAILERS.slice(0, 2))}\r\n` : '';
  return `${text}${last}\r\n${trailer}\r\n`;
}
