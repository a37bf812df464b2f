import type { Random } from '@portolan/core';
import { aBody, aChunkedBody } from './bodies.ts';
import { FIELDS, FRAMING } from './message-parts.ts';
import { below, mutated, pick } from './mutate.ts';

const STATUS_LINES = [
  'HTTP/1.1 200 OK',
  'HTTP/1.1 200 OK',
  'HTTP/1.1 200 OK',
  'HTTP/1.1 404 Not Found',
  'HTTP/1.1 500 \xe9',
  'HTTP/1.1 204 No Content',
  'HTTP/1.1 304 Not Modified',
  'HTTP/1.0 200 OK',
  'HTTP/1.1 200 ',
];
const ODD_STATUS_LINES = [
  'HTTP/1.1 200',
  'HTTP/1.1 099 Odd',
  'HTTP/1.1 600 Odd',
  'HTTP/1.1 2000 OK',
  'HTTP/1.1 20 OK',
  'HTTP/1.1  200 OK',
  'HTTP/1.2 200 OK',
  'HTTP/2.0 200 OK',
  'HTTP/0.9 200 OK',
  'http/1.1 200 OK',
  'ICY 200 OK',
  'RTSP/1.0 200 OK',
  'HTTP/1.1 200 \x0bOK',
  'HTTP/1.1 101 Switching Protocols',
];

/** The answer to one GET, sometimes behind interim ones; most are broken somewhere. */
export function aResponseStream(random: Random): string {
  let text = '';
  while (random() < 0.15) {
    text += `HTTP/1.1 ${pick(random, ['100', '102', '103', '199'])} Interim\r\nLink: a\r\n\r\n`;
  }
  return mutated(random, text + aResponse(random));
}

function aResponse(random: Random): string {
  const start = pick(random, random() < 0.15 ? ODD_STATUS_LINES : STATUS_LINES);
  const lines: string[] = [];
  for (let count = below(random, 3); count > 0; count--) lines.push(pick(random, FIELDS));
  const coding = random();
  let body = '';
  if (coding < 0.4) {
    body = aBody(random);
    lines.splice(below(random, lines.length + 1), 0, `Content-Length: ${body.length}`);
  } else if (coding < 0.8) {
    body = aChunkedBody(random);
    lines.splice(below(random, lines.length + 1), 0, 'Transfer-Encoding: chunked');
  } else body = aBody(random);
  if (random() < 0.1) lines.splice(below(random, lines.length + 1), 0, pick(random, FRAMING));
  return `${start}\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n${body}`;
}
