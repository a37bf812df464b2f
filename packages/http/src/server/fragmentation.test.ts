import { TurnableClock } from '@portolan/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dialRaw } from '../test-peers/raw-peer.ts';
import { createHttpServer, type HttpServer } from './http-server.ts';
import type { ServerExchange } from './server-exchange.ts';

let server: HttpServer;
let port: number;

/** Answers with all that was understood of the request. */
async function describeExchange(exchange: ServerExchange): Promise<void> {
  const { method, target, framing } = exchange.head;
  const body = (await exchange.readBody(100_000)).toString('latin1');
  const xs = exchange.head.joined('x') ?? '';
  exchange.send(200, '', Buffer.from(JSON.stringify([method, target, framing.kind, xs, body])));
}

beforeAll(async () => {
  server = createHttpServer(
    {
      onExchange: (exchange) => void describeExchange(exchange).catch(() => undefined),
      renderFault: (error) => ({ headers: [], body: error.code }),
    },
    { clock: new TurnableClock() },
  );
  ({ port } = await server.listen({ host: '127.0.0.1', port: 0 }));
});

afterAll(() => server.close());

async function answersTo(pieces: readonly string[]): Promise<string> {
  const peer = await dialRaw(port, true);
  await peer.sendPieces(pieces);
  peer.socket.end();
  const received = await peer.untilEnded();
  return received.replaceAll(/(Date: .*|Connection: close)\r\n/g, '');
}

const body = fc.stringMatching(/^[ -~\r\n]{0,40}$/);
const request = fc
  .record({
    method: fc.constantFrom('GET', 'POST', 'DELETE'),
    target: fc.constantFrom('/', '/a?b', '*'),
    fields: fc.array(fc.stringMatching(/^[ -~]{0,12}$/), { maxLength: 3 }),
    blankBefore: fc.boolean(),
    coding: fc.constantFrom('none', 'length', 'chunked'),
    body,
  })
  .map(({ method, target, fields, blankBefore, coding, body: text }) => {
    const lines = fields.map((value) => `X: ${value}\r\n`).join('');
    const start = `${blankBefore ? '\r\n' : ''}${method} ${target === '*' ? '/star' : target} HTTP/1.1\r\nHost: a\r\n${lines}`;
    if (coding === 'none') return `${start}\r\n`;
    if (coding === 'length') return `${start}Content-Length: ${text.length}\r\n\r\n${text}`;
    const half = text.length >> 1;
    const chunks = [text.slice(0, half), text.slice(half)]
      .filter((chunk) => chunk !== '')
      .map((chunk) => `${chunk.length.toString(16)};x="y"\r\n${chunk}\r\n`);
    return `${start}Transfer-Encoding: chunked\r\n\r\n${chunks.join('')}0\r\nX-Sum: 1\r\n\r\n`;
  });

describe('pipelined requests', () => {
  it('are the same exchanges however their bytes are split, and whatever the last one lacks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(request, { minLength: 1, maxLength: 4 }),
        fc.array(fc.nat(800), { maxLength: 12 }),
        fc.constantFrom('', 'GET /cut HT', 'GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n'),
        async (requests, places, tail) => {
          const text = requests.join('') + tail;
          const cuts = [...new Set(places.map((place) => place % text.length))].sort(
            (a, b) => a - b,
          );
          const pieces = [0, ...cuts].map((from, index) => text.slice(from, cuts[index]));
          const whole = await answersTo([text]);
          expect(await answersTo(pieces.filter((piece) => piece !== ''))).toBe(whole);
          expect(whole.match(/HTTP\/1.1 200/g)).toHaveLength(requests.length);
          expect(whole.includes('HTTP/1.1 400')).toBe(tail !== '');
        },
      ),
      { numRuns: 120 },
    );
  });

  it('are the same exchanges byte by byte', async () => {
    const text =
      '\r\nPOST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n';
    expect(await answersTo([...text])).toBe(await answersTo([text]));
  });
});
