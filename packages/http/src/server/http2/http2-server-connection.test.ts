import { TurnableClock } from '@portolan/testing';
import { afterEach, describe, expect, test } from 'vitest';
import {
  answerOf,
  dialHttp2,
  frame,
  GET_BLOCK,
  goAwayCode,
  OPENING,
} from '../../test-peers/http2-client.ts';
import { dialRaw, type RawPeer, turnsUntil } from '../../test-peers/raw-peer.ts';
import { echo, startServer } from '../../test-peers/server-rig.ts';
import type { ServerExchange } from '../server-exchange.ts';
import type { HttpServerLimits } from '../server-limits.ts';

const ENHANCE_YOUR_CALM = 11;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const CONTINUATION = 9;
const CANCEL = Buffer.from([0, 0, 0, 8]);
const NOTHING = Buffer.alloc(0);

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function serving(
  handle?: (exchange: ServerExchange) => void,
  limits: Partial<HttpServerLimits> = {},
) {
  const clock = new TurnableClock();
  const running = await startServer(clock, limits, handle);
  closers.push(() => running.server.close());
  return { ...running, clock };
}

async function rawPeer(port: number): Promise<RawPeer> {
  const peer = await dialRaw(port);
  closers.push(() => peer.socket.destroy());
  return peer;
}

const streamId = (index: number): number => 2 * index + 1;
const request = (index: number, flags = 5): Buffer =>
  frame(HEADERS, flags, streamId(index), GET_BLOCK);

describe('an HTTP/2 connection', () => {
  test('is told from HTTP/1.1 however its preface is cut, and HTTP/1.1 by the first other byte', async () => {
    const { port, exchanges } = await serving(echo);
    const peer = await rawPeer(port);
    for (const byte of Buffer.concat([OPENING, request(0)])) {
      peer.sendBytes(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await turnsUntil(() => exchanges.length === 1);
    expect(exchanges[0]?.protocol).toBe('HTTP/2');
    const old = await rawPeer(port);
    old.send('PRI * HTTP/2.0\r\n\r\nSX');
    await turnsUntil(() => old.received.includes('\r\n\r\n'));
    expect(old.received).toContain('HTTP/1.1 ');
    const method = await rawPeer(port);
    method.send('PRINT /x HTTP/1.1\r\nHost: a\r\n\r\n');
    await turnsUntil(() => method.received.endsWith('/x'));
  });

  test('that does not say its settings in time is cut off', async () => {
    const { port, clock, server } = await serving(echo, { headTimeoutMs: 1_000 });
    const peer = await rawPeer(port);
    peer.sendBytes(OPENING.subarray(0, 24));
    await turnsUntil(() => server.connections === 1);
    await clock.advance(2_000);
    await turnsUntil(() => server.connections === 0);
  });

  test('takes no more streams at a time than it says', async () => {
    const { port, exchanges } = await serving(undefined, { http2Streams: 2 });
    const session = dialHttp2(port);
    closers.push(() => session.destroy());
    await new Promise((resolve) => session.once('remoteSettings', resolve));
    expect(session.remoteSettings.maxConcurrentStreams).toBe(2);
    const peer = await rawPeer(port);
    peer.sendBytes(Buffer.concat([OPENING, request(0), request(1), request(2)]));
    await turnsUntil(() => exchanges.length === 2 && peer.bytes.includes(refused(2)));
    expect(exchanges).toHaveLength(2);
  });

  test('without streams says that it goes, and goes', async () => {
    const { port, clock, server } = await serving(echo, { idleTimeoutMs: 5_000 });
    const session = dialHttp2(port);
    await answerOf(session.request({}));
    await turnsUntil(() => server.busyConnections === 0);
    let told = false;
    session.on('goaway', () => {
      told = true;
    });
    await clock.advance(6_000);
    await turnsUntil(() => server.connections === 0);
    expect(told).toBe(true);
  });

  test('that is drained finishes what is under way and what crosses its notice', async () => {
    const { port, server, exchange } = await serving();
    const session = dialHttp2(port);
    const first = answerOf(session.request({ ':path': '/first' }));
    const one = await exchange(0);
    const drained = server.drain(60_000);
    await new Promise((resolve) => session.once('goaway', resolve));
    echo(one);
    expect((await first).body).toBe('/first');
    await drained;
    expect(server.connections).toBe(0);
  });

  test('that is busy when a drain runs out is cut', async () => {
    const { port, server, exchange, aborts, clock } = await serving();
    const session = dialHttp2(port);
    const answer = answerOf(session.request({}));
    await exchange(0);
    const drained = server.drain(1_000);
    await clock.advance(1_001);
    await drained;
    expect((await answer).code).not.toBe(0);
    expect(aborts).toEqual(['The server closed']);
  });

  test('opens and resets streams for a while only (rapid reset)', async () => {
    const { port, server, exchanges } = await serving(undefined, {
      http2ResetBurst: 20,
      http2ResetsPerSecond: 5,
    });
    const peer = await rawPeer(port);
    peer.sendBytes(OPENING);
    for (let at = 0; at < 500; at++) {
      peer.sendBytes(Buffer.concat([request(at), frame(RST_STREAM, 0, streamId(at), CANCEL)]));
    }
    await turnsUntil(() => peer.closed);
    expect(exchanges.length).toBeLessThanOrEqual(25);
    expect(goAwayCode(peer.bytes)).toBeGreaterThan(0);
    await turnsUntil(() => server.connections === 0);
  });

  test('makes the server reset streams for a while only (MadeYouReset)', async () => {
    const { port, server, exchanges } = await serving(undefined, { http2ResetBurst: 20 });
    const peer = await rawPeer(port);
    peer.sendBytes(OPENING);
    const noIncrement = Buffer.alloc(4);
    for (let at = 0; at < 500; at++) {
      peer.sendBytes(Buffer.concat([request(at), frame(8, 0, streamId(at), noIncrement)]));
    }
    await turnsUntil(() => peer.closed);
    expect(exchanges.length).toBeLessThanOrEqual(25);
    await turnsUntil(() => server.connections === 0);
  });

  test('may be refused requests for a while only', async () => {
    const { port, server } = await serving(echo, { http2ResetBurst: 5, http2ResetsPerSecond: 1 });
    const session = dialHttp2(port);
    closers.push(() => session.destroy());
    const answers = Array.from({ length: 20 }, () => answerOf(session.request({ expect: 'x' })));
    const codes = (await Promise.all(answers)).map(({ status }) => status);
    expect(codes.filter((status) => status === 417).length).toBeLessThanOrEqual(6);
    await turnsUntil(() => server.connections === 0);
  });

  test.each([
    ['PING', frame(PING, 0, 0, Buffer.alloc(8))],
    ['SETTINGS', frame(SETTINGS, 0, 0, NOTHING)],
  ])('sends %s frames for a while only', async (_what, flood) => {
    const { port, server } = await serving(echo, {
      http2ControlFrameBurst: 50,
      http2ControlFramesPerSecond: 10,
    });
    const peer = await rawPeer(port);
    peer.sendBytes(OPENING);
    peer.sendBytes(Buffer.concat(Array.from({ length: 500 }, () => flood)));
    await turnsUntil(() => peer.closed);
    expect(goAwayCode(peer.bytes)).toBe(ENHANCE_YOUR_CALM);
    await turnsUntil(() => server.connections === 0);
  });

  test('sends no endless header block (CONTINUATION flood)', async () => {
    const { port, server, exchanges } = await serving(echo);
    const peer = await rawPeer(port);
    peer.sendBytes(Buffer.concat([OPENING, frame(HEADERS, 1, 1, GET_BLOCK)]));
    const more = frame(CONTINUATION, 0, 1, Buffer.from([0x00, 0x01, 0x78, 0x01, 0x79]));
    peer.sendBytes(Buffer.concat(Array.from({ length: 2_000 }, () => more)));
    await turnsUntil(() => peer.closed);
    expect(exchanges).toHaveLength(0);
    await turnsUntil(() => server.connections === 0);
  });

  test('has no header list grow out of few bytes (HPACK bomb)', async () => {
    const { port, server, exchanges } = await serving(echo);
    const peer = await rawPeer(port);
    // A field of 3,000 bytes put into the table once, and then named again and again by one byte each.
    const value = Buffer.alloc(3_000, 0x79);
    const put = Buffer.concat([Buffer.from([0x40, 0x01, 0x78, 0x7f, 0xb9, 0x16]), value]);
    const block = Buffer.concat([GET_BLOCK, put, Buffer.alloc(4_000, 0xbe)]);
    peer.sendBytes(Buffer.concat([OPENING, frame(HEADERS, 5, 1, block)]));
    await turnsUntil(() => peer.closed || peer.bytes.includes(frameHead(RST_STREAM, 1)));
    expect(exchanges).toHaveLength(0);
    expect(server.connections).toBeLessThanOrEqual(1);
  });

  test('sends empty DATA frames for a while only', async () => {
    const { port, server } = await serving((exchange) => exchange.resume());
    const peer = await rawPeer(port);
    peer.sendBytes(Buffer.concat([OPENING, request(0, 4)]));
    peer.sendBytes(Buffer.concat(Array.from({ length: 2_000 }, () => frame(0, 0, 1, NOTHING))));
    await turnsUntil(() => peer.closed);
    await turnsUntil(() => server.connections === 0);
  });

  test('a body that a reset without an error cut short is not whole', async () => {
    let whole = false;
    const { port, exchange, aborts } = await serving();
    const peer = await rawPeer(port);
    peer.sendBytes(Buffer.concat([OPENING, request(0, 4), frame(0, 0, 1, Buffer.from('half'))]));
    const one = await exchange(0);
    one.handler = {
      onBodyData: () => undefined,
      onBodyEnd() {
        whole = true;
      },
      onAbort: (reason) => void aborts.push(reason.message),
      onDrain: () => undefined,
    };
    one.resume();
    peer.sendBytes(frame(RST_STREAM, 0, 1, Buffer.alloc(4)));
    await turnsUntil(() => aborts.length === 1);
    expect(whole).toBe(false);
  });

  test('tells a client whose body comes too slowly', async () => {
    const { port, clock, exchange } = await serving((one) => one.resume(), { bodyWindowMs: 1_000 });
    const session = dialHttp2(port);
    closers.push(() => session.destroy());
    const stream = session.request({ ':method': 'POST' });
    stream.write('x');
    await exchange(0);
    const answered = answerOf(stream);
    await new Promise((resolve) => session.ping(resolve));
    await clock.advance(1_500);
    await new Promise((resolve) => session.ping(resolve));
    await clock.advance(3_000);
    expect((await answered).status).toBe(408);
  });

  test('ends an answer that its client does not take', async () => {
    const { port, clock, exchange, aborts } = await serving(undefined, {
      writeIdleTimeoutMs: 1_000,
    });
    const session = dialHttp2(port);
    closers.push(() => session.destroy());
    const stream = session.request({});
    stream.on('error', () => undefined);
    stream.pause();
    const one = await exchange(0);
    one.startStream(200);
    while (one.write(Buffer.alloc(65_536)));
    await new Promise((resolve) => session.ping(resolve));
    await clock.advance(2_500);
    await turnsUntil(() => aborts.length === 1);
    expect(aborts).toEqual(['The client takes nothing of the response']);
  });
});

/** The head of a frame of four bytes on a stream. */
function frameHead(type: number, stream: number): Buffer {
  return frame(type, 0, stream, Buffer.alloc(4)).subarray(0, 9);
}

const refused = (index: number): Buffer =>
  frame(RST_STREAM, 0, streamId(index), Buffer.from([0, 0, 0, 7]));
