import { seededRandom } from '@portolan/testing';

type Random = () => number;

/** Case `index` of a seed: the same stream on every machine. */
export function aCase(seed: number, index: number): string {
  return aStream(
    seededRandom(Math.imul(seed + 1, 0x9e37_79b1) ^ Math.imul(index + 1, 0x85eb_ca6b)),
  );
}

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'TRACE'];
const ODD_METHODS = ['BREW', 'get', 'CONNECT', 'PRI', 'M-SEARCH', 'SOURCE', 'QUERY', 'G_T', 'X'];
const TARGETS = ['/', '/a?b=c', '/a/b;c/%20', '/?', '/x'.repeat(20)];
const ODD_TARGETS = [
  '*',
  'http://b/x',
  'HTTP://b:8080?y',
  'https://[::1]:1/',
  'http://u@b/',
  'http://',
  '//x/y',
  '/a#b',
  '/a\\b',
  '/%2e%2e/',
  'a',
  'b:80',
  '/\xe9',
  '/\x7f',
  '/"<>^`{|}',
];
const VERSIONS = [
  'HTTP/1.0',
  'HTTP/1.2',
  'HTTP/2.0',
  'http/1.1',
  'HTTP/0.9',
  'HTTP/1.10',
  'ICE/1.0',
];
const HOSTS = [
  'Host: a:80',
  'host: [::1]:1',
  'Host: u@a',
  'Host: a b',
  'Host:',
  'HOST:a',
  'Host: a,b',
];
const FIELDS = [
  'A: b',
  'A:b',
  'A:\tb\t ',
  'A: b c\td',
  'A:',
  'A: ',
  'A: \xe9\xff',
  'X_Y: z',
  "!#$%&'*+-.^_`|~: token",
  'Connection: close',
  'Connection: keep-alive',
  'connection: Close , x-own',
  'Connection: close, keep-alive',
  'Connection: X-Forwarded-For',
  'Connection: upgrade',
  'Upgrade: websocket',
  'Expect: 100-continue',
  'Cookie: a=b; c="d"',
  'Trailer: X-Sum',
  'TE: trailers',
  'Keep-Alive: timeout=5',
];
const FRAMING = [
  'Content-Length: 3',
  'Content-Length: 0',
  'content-length:5',
  'Content-Length: 003',
  'Content-Length: +3',
  'Content-Length: -1',
  'Content-Length: 3, 3',
  'Content-Length: 3 3',
  'Content-Length: 0x3',
  'Content-Length: 3;a',
  'Content-Length:',
  'Content-Length: 9007199254740993',
  'Content-Length: 18446744073709551619',
  'Content-Length : 3',
  'Content_Length: 3',
  'Transfer-Encoding: chunked',
  'transfer-encoding:\tChunked ',
  'Transfer-Encoding: chunked\t',
  'Transfer-Encoding: ,chunked',
  'Transfer-Encoding: chunked,',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, gzip',
  'Transfer-Encoding: chunked, chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding: "chunked"',
  'Transfer-Encoding: chunked;a=b',
  'Transfer-Encoding:',
  'Transfer-Encoding : chunked',
  'Transfer_Encoding: chunked',
];
const ODD_BYTES = [
  '\r',
  '\n',
  '\0',
  ' ',
  '\t',
  ':',
  ';',
  ',',
  '"',
  '\x0b',
  '\x0c',
  '\x1f',
  '\x7f',
  '\x80',
  '\x85',
  '\xa0',
  '\xff',
  '0',
  'f',
  'z',
  '\r\n',
  '\r\n ',
  '\r\n\t',
  '\r\r\n',
  '\n\n',
  '\r\n\r\n',
  ' \r\n',
  ': ',
  '0\r\n\r\n',
];
const SIZES = [
  '0x3',
  '+3',
  '-3',
  '3 ',
  ' 3',
  '3\t',
  '03',
  '0000000000003',
  'G',
  '',
  '3;',
  '3 ;a=b',
  '3;a="b\\"c"',
  '3;\x01',
];
const HUGE = [
  '4294967299',
  '9223372036854775811',
  '18446744073709551619',
  'fffffffffffffffff',
  '10000000000000003',
  '1'.repeat(40),
];
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

function pick<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)] as T;
}

function below(random: Random, bound: number): number {
  return Math.floor(random() * bound);
}

/** One to three requests as they might follow each other on a connection; most streams are broken somewhere. */
function aStream(random: Random): string {
  let text = '';
  const requests = 1 + below(random, 3);
  for (let at = 0; at < requests; at++) {
    if (random() < 0.05) text += pick(random, ['\r\n', '\r\n', '\n', '\r', '\r\n\r\n', ' ']);
    text += aRequest(random);
  }
  let mutations = random() < 0.4 ? 0 : 1 + below(random, 3);
  for (; mutations > 0; mutations--) text = pick(random, MUTATORS)(random, text);
  return text;
}

function aRequest(random: Random): string {
  const odd = random() < 0.25;
  const method = odd && random() < 0.4 ? pick(random, ODD_METHODS) : pick(random, METHODS);
  const target = odd && random() < 0.4 ? pick(random, ODD_TARGETS) : pick(random, TARGETS);
  const version = odd && random() < 0.4 ? pick(random, VERSIONS) : 'HTTP/1.1';
  const host = odd && random() < 0.3 ? pick(random, HOSTS) : 'Host: a';
  const lines = [host];
  for (let count = below(random, 3); count > 0; count--) lines.push(pick(random, FIELDS));
  const coding = random();
  let body = '';
  if (coding < 0.3) {
    body = aBody(random);
    lines.splice(below(random, lines.length + 1), 0, `Content-Length: ${body.length}`);
  } else if (coding < 0.65) {
    body = aChunkedBody(random);
    lines.splice(below(random, lines.length + 1), 0, 'Transfer-Encoding: chunked');
  }
  if (random() < 0.1) lines.splice(below(random, lines.length + 1), 0, pick(random, FRAMING));
  return `${method} ${target} ${version}\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
}

function aBody(random: Random): string {
  return pick(random, [
    '',
    'abc',
    'abc\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    '0\r\n\r\n',
    '\0\xff\n',
  ]);
}

function aChunkedBody(random: Random): string {
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

type Mutator = (random: Random, text: string) => string;

const splice = (text: string, at: number, removed: number, added: string): string =>
  text.slice(0, at) + added + text.slice(at + removed);

/** A place that is more often than not beside something that means something. */
function place(random: Random, text: string): number {
  const at = below(random, text.length + 1);
  if (random() < 0.5) return at;
  const mark = pick(random, ['\r\n', ':', ' ', '\n', ';', 'chunked', 'Content-Length', '\r\n\r\n']);
  const found = text.indexOf(mark, at);
  return found < 0 ? at : found + (random() < 0.5 ? 0 : mark.length);
}

const byLines =
  (change: (random: Random, lines: string[]) => void): Mutator =>
  (random, text) => {
    const lines = text.split('\r\n');
    change(random, lines);
    return lines.join('\r\n');
  };

const MUTATORS: readonly Mutator[] = [
  // A bit of a byte is turned.
  (random, text) => {
    const at = below(random, text.length);
    const turned = (text.charCodeAt(at) || 0) ^ (1 << below(random, 8));
    return splice(text, at, 1, String.fromCharCode(turned & 0xff));
  },
  (random, text) => splice(text, place(random, text), 0, pick(random, ODD_BYTES)),
  (random, text) => splice(text, place(random, text), 1, pick(random, ODD_BYTES)),
  (random, text) => splice(text, place(random, text), 1 + below(random, 3), ''),
  (random, text) => splice(text, place(random, text), 0, String.fromCharCode(below(random, 256))),
  // Cut short.
  (random, text) => text.slice(0, below(random, text.length + 1)),
  byLines((random, lines) => {
    lines.splice(below(random, lines.length + 1), 0, pick(random, lines));
  }),
  byLines((random, lines) => {
    const [line = ''] = lines.splice(below(random, lines.length), 1);
    lines.splice(below(random, lines.length + 1), 0, line);
  }),
  byLines((random, lines) => {
    lines.splice(1 + below(random, lines.length), 0, pick(random, FRAMING));
  }),
  byLines((random, lines) => {
    lines.splice(1 + below(random, lines.length), 0, pick(random, FIELDS));
  }),
  // Another line ending, once.
  (random, text) => {
    const at = text.indexOf('\r\n', below(random, text.length + 1));
    return at < 0
      ? text
      : splice(text, at, 2, pick(random, ['\n', '\r', '\r\r\n', '\n\r', '', ' \r\n', '\r\n ']));
  },
  // Another number in the place of one.
  (random, text) => {
    const numbers = [...text.matchAll(/[0-9]+/g)];
    const number = numbers[below(random, numbers.length)];
    if (number === undefined) return text;
    const other = pick(random, [...SIZES, ...HUGE, '0', '1', '2', '4', `0${number[0]}`]);
    return splice(text, number.index, number[0].length, other);
  },
  // White space about a colon.
  (random, text) => {
    const at = text.indexOf(':', below(random, text.length + 1));
    return at < 0
      ? text
      : splice(text, at, 1, pick(random, [' :', '\t:', '::', ':\r\n ', ':\0', ';', '']));
  },
];
