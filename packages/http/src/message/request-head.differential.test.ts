import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { seededRandom } from '@portolan/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HttpProtocolError, type ProtocolErrorCode } from '../protocol/protocol-error.ts';
import { DEFAULT_HEAD_LIMITS, parseRequestHead } from './request-head.ts';

const SEED = 20_261_123;
const CASES = 2_000;

/**
 * Where the runtime's parser accepts and ours refuses, and by which rule. A refusal for any other reason fails the test, and so
 * does every head that only ours accepts, but for those of `MORE_LENIENT`.
 */
const STRICTER: Partial<Record<ProtocolErrorCode, string>> = {
  HOST_DUPLICATE: 'RFC 9112 §3.2',
  HOST_INVALID: 'RFC 9112 §3.2',
  TARGET_INVALID: 'RFC 9112 §3.2, RFC 3986 §3',
  TRANSFER_ENCODING_UNSUPPORTED: 'RFC 9112 §6.1',
  TRANSFER_ENCODING_IN_HTTP_1_0: 'RFC 9112 §6.1',
  VERSION_NOT_SUPPORTED: 'RFC 9110 §2.5',
  CONNECTION_NAMES_PROTECTED_FIELD: 'RFC 9110 §7.6.1',
  EXPECTATION_UNKNOWN: 'RFC 9110 §10.1.1',
  METHOD_NOT_SUPPORTED: 'RFC 9110 §9.3.6',
  REQUEST_LINE_MALFORMED: 'RFC 9112 §3',
  BARE_CR: 'RFC 9112 §2.2',
};

/** Where ours accepts and the runtime's parser does not. */
const MORE_LENIENT: readonly { readonly why: string; readonly is: RegExp }[] = [
  // RFC 9110 §9.1: any token is a method; which are served is not the parser's business.
  { why: 'RFC 9110 §9.1', is: /^(?:\r\n)?(?!(?:GET|POST|PUT|DELETE|HEAD|OPTIONS) )[^ \r\n]+ / },
];

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'BREW', 'get', 'CONNECT'];
const TARGETS = [
  '/',
  '/a?b=c',
  '*',
  'http://b/x',
  '//x/y',
  '/a#b',
  '/a\\b',
  '/%2e%2e/',
  'a',
  '/\xe9',
];
const VERSIONS = [
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/1.2',
  'HTTP/2.0',
  'http/1.1',
];
const HOSTS = ['Host: a', 'Host: a:80', 'host: [::1]:1', 'Host: u@a', 'Host: a b', 'Host:', ''];
const LINES = [
  'Content-Length: 3',
  'Content-Length: 3',
  'Content-Length: +3',
  'Content-Length: 3, 3',
  'Content-Length:',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: ,chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, gzip',
  'Transfer-Encoding: identity',
  'Connection: close',
  'Connection: keep-alive, X-Own',
  'Connection: Authorization',
  'Expect: 100-continue',
  'Expect: tea',
  'A: b',
  'A: b\xff',
  'A:\tb\t ',
  ' A: b',
  'A : b',
  ': b',
  'A',
  'X_Y: z',
];
const MUTATIONS = [
  '\r',
  '\n',
  '\0',
  ' ',
  '\t',
  ':',
  '\x7f',
  '\x80',
  ',',
  '\x0b',
  'z',
  '\r\n',
  '\r\n ',
];

type Random = () => number;

function pick<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)] as T;
}

/** A head, mostly valid, sometimes with one byte sequence put in or one byte taken out. */
function aHead(random: Random): string {
  const usual = random() < 0.6;
  const method = usual ? pick(random, METHODS.slice(0, 6)) : pick(random, METHODS);
  const target = usual ? '/' : pick(random, TARGETS);
  const version = usual ? 'HTTP/1.1' : pick(random, VERSIONS);
  const host = random() < 0.8 ? 'Host: a' : pick(random, HOSTS);
  const lines = [host, ...(random() < 0.05 ? ['Host: a'] : [])].filter((line) => line !== '');
  for (let count = Math.floor(random() * 3); count > 0; count--) lines.push(pick(random, LINES));
  const text = `${[`${method} ${target} ${version}`, ...lines].join('\r\n')}\r\n\r\n`;
  if (random() < 0.5) return text;
  const at = Math.floor(random() * (text.length - 4));
  if (random() < 0.3) return text.slice(0, at) + text.slice(at + 1);
  return text.slice(0, at) + pick(random, MUTATIONS) + text.slice(at);
}

function ours(text: string): string {
  const bytes = Buffer.from(text, 'latin1');
  // RFC 9112 §2.2: as the connection does.
  const start = text.startsWith('\r\n') ? 2 : 0;
  try {
    const head = parseRequestHead(bytes, start, bytes.length, DEFAULT_HEAD_LIMITS);
    return head === undefined ? 'incomplete' : 'accepted';
  } catch (error) {
    if (error instanceof HttpProtocolError) return error.code;
    throw error;
  }
}

let runtime: Server;
let port: number;
/** By the port of the client, so that what the runtime says late of one case is not taken for another's. */
const outcomes = new Map<number | undefined, (accepted: boolean) => void>();

beforeAll(async () => {
  runtime = createServer();
  const accept = (request: IncomingMessage): void =>
    outcomes.get(request.socket.remotePort)?.(true);
  for (const event of ['request', 'checkContinue', 'checkExpectation', 'connect', 'upgrade']) {
    runtime.on(event, accept);
  }
  runtime.on('clientError', (_, socket) => {
    outcomes.get((socket as Socket).remotePort)?.(false);
    socket.destroy();
  });
  await new Promise<void>((resolve) => runtime.listen(0, '127.0.0.1', resolve));
  port = (runtime.address() as AddressInfo).port;
});

afterAll(() => {
  runtime.closeAllConnections();
  runtime.close();
});

/** Whether the runtime's parser takes the head: it hands over a request before it meets what follows. */
function runtimeAccepts(text: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    const settle = (accepted: boolean): void => {
      outcomes.delete(clientPort);
      socket.destroy();
      resolve(accepted);
    };
    let clientPort: number | undefined;
    socket.on('connect', () => {
      clientPort = socket.localPort;
      outcomes.set(clientPort, settle);
      socket.end(text, 'latin1');
    });
    socket.on('error', () => undefined);
    // A missing Host is answered without an event.
    socket.on('data', (piece) => settle(!piece.toString('latin1').includes(' 400 ')));
    socket.on('end', () => settle(false));
  });
}

describe('beside the parser of the runtime', () => {
  it(`ours is the stricter, or differs by a rule it can name (seed ${SEED})`, async () => {
    const random = seededRandom(SEED);
    const surprises: string[] = [];
    const met = new Set<string>();
    let accepted = 0;
    for (let at = 0; at < CASES; at++) {
      const text = aHead(random);
      const mine = ours(text);
      const theirs = await runtimeAccepts(text);
      if (mine === 'accepted') accepted++;
      if (mine === 'accepted' && !theirs && !MORE_LENIENT.some(({ is }) => is.test(text))) {
        surprises.push(`only ours accepts ${JSON.stringify(text)}`);
      }
      if (mine === 'accepted' || !theirs) continue;
      met.add(mine);
      if (!(mine in STRICTER)) {
        surprises.push(`${mine} for ${JSON.stringify(text)}`);
      }
    }
    expect(surprises).toEqual([]);
    expect([...met].sort()).toEqual(Object.keys(STRICTER).sort());
    // The comparison is about something: neither all refused nor all accepted.
    expect(accepted).toBeGreaterThan(CASES / 10);
    expect(accepted).toBeLessThan(CASES / 1.2);
  });
});
