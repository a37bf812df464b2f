import type { AskedBy } from './fed-upstream-connection.ts';

/** Bytes an upstream sends; `ending` is how the attempt that asked for them ends. */
export interface ResponseFixture {
  readonly what: string;
  readonly bytes: string;
  readonly ending: string;
  readonly askedBy: AskedBy;
}

const head = (lines: string, start = 'HTTP/1.1 200 OK'): string => `${start}\r\n${lines}\r\n`;
const chunked = (body: string): string => head('Transfer-Encoding: chunked\r\n') + body;
const OK = `${head('Content-Length: 2\r\n')}ok`;
const HINTS = head('Link: a\r\n', 'HTTP/1.1 103 Early Hints');
const fields = (count: number): string => 'A: b\r\n'.repeat(count);
/** A response whose head has exactly that many bytes. */
const headOf = (bytes: number): string => {
  const rest = head('Content-Length: 0\r\nA: \r\n').length;
  return head(`Content-Length: 0\r\nA: ${'x'.repeat(bytes - rest)}\r\n`);
};

const ENDED: readonly (readonly [what: string, bytes: string, askedBy?: AskedBy])[] = [
  ['a length', OK],
  ['a length of nothing', head('Content-Length: 0\r\n')],
  ['many fields', `${head('A:\tb \r\nC:\r\nD: \xe9\r\nContent-Length: 2\r\n')}ok`],
  ['no reason', `${head('Content-Length: 2\r\n', 'HTTP/1.1 200')}ok`],
  ['an empty reason', `${head('Content-Length: 2\r\n', 'HTTP/1.1 200 ')}ok`],
  ['chunks', chunked('2;a=b\r\nok\r\nA\r\n0123\r\n6789\r\n0\r\n\r\n')],
  ['trailers', chunked('2\r\nok\r\n0\r\nX-Sum: 1\r\nX-B: 2\r\n\r\n')],
  ['the end of the connection', `${head('')}ok`],
  ['the end of the connection and no byte', head('')],
  ['HTTP/1.0', `${head('', 'HTTP/1.0 200 OK')}ok`],
  ['HTTP/1.0 with a length', `${head('Content-Length: 2\r\n', 'HTTP/1.0 200 OK')}ok`],
  ['interim responses', `${HINTS}${HINTS}${OK}`],
  [
    'an interim response with an empty length',
    `${head('Content-Length: 0\r\n', 'HTTP/1.1 100 Continue')}${OK}`,
  ],
  ['a 100 nobody asked for', `${head('', 'HTTP/1.1 100 Continue')}${OK}`],
  ['no body after HEAD', head('Content-Length: 2\r\n'), { method: 'HEAD' }],
  ['no chunks after HEAD', head('Transfer-Encoding: chunked\r\n'), { method: 'HEAD' }],
  ['no body with 204', head('', 'HTTP/1.1 204 No Content')],
  ['no body with 304', head('Content-Length: 9\r\n', 'HTTP/1.1 304 Not Modified')],
  ['a surplus response', OK + OK],
  ['a body after HEAD', OK, { method: 'HEAD' }],
  ['a body with 204', `${head('Content-Length: 2\r\n', 'HTTP/1.1 204 No Content')}ok`],
  ['surplus behind chunks', `${chunked('0\r\n\r\n')}x`],
  ['one that closes', `${head('Connection: close\r\nContent-Length: 2\r\n')}ok`],
  [
    'a Connection that names an end-to-end field',
    `${head('Connection: Date\r\nDate: d\r\nContent-Length: 2\r\n')}ok`,
  ],
  ['a refused upgrade', OK, { upgrade: 'x' }],
  ['a head at its limit', headOf(300)],
  ['interim heads that pass the limit together', `${HINTS.repeat(8)}${headOf(300)}`],
];

const SWITCH = head('Connection: upgrade\r\nUpgrade: x\r\n', 'HTTP/1.1 101 Switching Protocols');

const MALFORMED: readonly (readonly [fault: string, bytes: string])[] = [
  [
    'LENGTH_AND_ENCODING',
    `${head('Content-Length: 2\r\nTransfer-Encoding: chunked\r\n')}0\r\n\r\n`,
  ],
  ['CONTENT_LENGTH_DUPLICATE', `${head('Content-Length: 2\r\ncontent-length: 2\r\n')}ok`],
  ['CONTENT_LENGTH_INVALID', `${head('Content-Length: 2, 2\r\n')}ok`],
  ['CONTENT_LENGTH_INVALID', `${head('Content-Length: -2\r\n')}ok`],
  ['TRANSFER_ENCODING_UNSUPPORTED', `${head('Transfer-Encoding: chunked, gzip\r\n')}0\r\n\r\n`],
  ['TRANSFER_ENCODING_UNSUPPORTED', head('Transfer-Encoding: identity\r\n')],
  ['TRANSFER_ENCODING_DUPLICATE', head('Transfer-Encoding: chunked\r\n'.repeat(2))],
  ['TRANSFER_ENCODING_IN_HTTP_1_0', head('Transfer-Encoding: chunked\r\n', 'HTTP/1.0 200 OK')],
  ['SPACE_BEFORE_COLON', head('Content-Length : 2\r\n')],
  ['OBSOLETE_FOLD', head('A: b\r\n c\r\n')],
  ['OBSOLETE_FOLD', head(' A: b\r\n')],
  ['FIELD_NAME_EMPTY', head(': b\r\n')],
  ['FIELD_NAME_INVALID', head('A\r\n')],
  ['BARE_LF', head('A: b\nC: d\r\n')],
  ['BARE_CR', head('A: b\rC: d\r\n')],
  ['CONTROL_CHARACTER', head('A: \0\r\n')],
  ['STATUS_LINE_MALFORMED', head('', 'HTTP/1.1 099 Odd')],
  ['STATUS_LINE_MALFORMED', head('', 'HTTP/1.1 600 Odd')],
  ['STATUS_LINE_MALFORMED', head('', 'HTTP/1.1 2000 Odd')],
  ['STATUS_LINE_MALFORMED', head('', 'HTTP/1.1 20 Odd')],
  ['STATUS_LINE_MALFORMED', head('', 'HTTP/1.1 2x0 Odd')],
  ['STATUS_LINE_MALFORMED', head('', 'HTTP/1.1  200 OK')],
  ['STATUS_LINE_MALFORMED', head('', 'HTTP/1.1 200 O\0K')],
  ['STATUS_LINE_MALFORMED', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok'],
  ['STATUS_LINE_MALFORMED', 'HTTP/1.1 200\rContent-Length: 2\r\n\r\nok'],
  ['REQUEST_LINE_MALFORMED', 'ICY 200 OK\n\n'],
  ['REQUEST_LINE_MALFORMED', 'GET / HTTP/1.1\r\n\r\n'],
  ['REQUEST_LINE_MALFORMED', `\r\n${OK}`],
  ['REQUEST_LINE_MALFORMED', '\0'],
  ['VERSION_NOT_SUPPORTED', head('', 'HTTP/2.0 200 OK')],
  ['HEAD_TOO_LARGE', headOf(301)],
  ['HEAD_TOO_LARGE', headOf(900)],
  ['HEAD_TOO_LARGE', head('', `HTTP/1.1 200 ${'O'.repeat(400)}`)],
  ['TOO_MANY_FIELDS', head(fields(9))],
  ['SWITCH_UNASKED', SWITCH],
  ['TOO_MANY_INFORMATIONAL', HINTS.repeat(9)],
  [
    'INTERIM_WITH_BODY',
    `${head('Transfer-Encoding: chunked\r\n', 'HTTP/1.1 103 Early Hints')}${OK}`,
  ],
  ['INTERIM_WITH_BODY', `${head('Content-Length: 2\r\n', 'HTTP/1.1 100 Continue')}ok${OK}`],
  ['CHUNK_SIZE_INVALID', chunked('0x2\r\nok\r\n0\r\n\r\n')],
  ['BARE_LF', chunked('2\nok\n0\n\n')],
  ['CHUNK_TERMINATOR_INVALID', chunked('2\r\nokx\r\n0\r\n\r\n')],
  ['CHUNK_EXTENSION_INVALID', chunked('2;\r\nok\r\n0\r\n\r\n')],
  ['TRAILER_FORBIDDEN', chunked('0\r\nContent-Length: 2\r\n\r\n')],
  ['TRAILERS_TOO_LARGE', chunked(`0\r\nA: ${'x'.repeat(58)}\r\n\r\n`)],
  ['SPACE_BEFORE_COLON', 'HTTP/1.1 200 OK\r\nA : b'],
];

const TRUNCATED: readonly string[] = [
  'H',
  'HTTP/1.1 20',
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r',
  `${head('Content-Length: 5\r\n')}ok`,
  chunked('5\r\nok'),
  chunked('2\r\nok\r\n0\r\nX-Sum: 1\r\n'),
  HINTS,
];

export const RESPONSE_FIXTURES: readonly ResponseFixture[] = [
  ...ENDED.map(([what, bytes, askedBy = {}]) => ({ what, bytes, askedBy, ending: 'end' })),
  ...MALFORMED.map(([fault, bytes]) => ({
    what: fault,
    bytes,
    askedBy: {},
    ending: `error RESPONSE_MALFORMED ${fault}`,
  })),
  ...TRUNCATED.map((bytes) => ({
    what: 'one cut short',
    bytes,
    askedBy: {},
    ending: 'error RESPONSE_TRUNCATED undefined',
  })),
  {
    what: 'an upgrade and what follows it',
    bytes: `${SWITCH}\x81\x05hello`,
    askedBy: { upgrade: 'x' },
    ending: 'upgrade {',
  },
  {
    what: 'an upgrade behind an interim response',
    bytes: `${HINTS}${SWITCH}`,
    askedBy: { upgrade: 'x' },
    ending: 'upgrade {',
  },
];
