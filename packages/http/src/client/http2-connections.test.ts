import type { ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { TurnableClock } from '@portolan/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aServer, EMPTY_SETTINGS } from '../test-peers/http2-frames.ts';
import { Http2Upstream } from '../test-peers/http2-upstream.ts';
import { turns, turnsUntil } from '../test-peers/raw-peer.ts';
import { type AttemptPlan, RecordedAttempt } from '../test-peers/recorded-attempt.ts';
import { ConnectionPool } from './connection-pool.ts';
import type { HostPool, PoolLimits } from './host-pool.ts';
import { createUpstreamTransport } from './upstream-transport.ts';

const H2 = createUpstreamTransport({ protocol: 'h2' });

let clock: TurnableClock;
let upstream: Http2Upstream;
let pool: ConnectionPool;
let host: HostPool;

beforeEach(async () => {
  clock = new TurnableClock();
  upstream = await Http2Upstream.listen({ settings: { maxConcurrentStreams: 2 } });
  use({});
});

afterEach(async () => {
  pool.close();
  await upstream.close();
});

function use(limits: Partial<PoolLimits>): void {
  pool = new ConnectionPool(limits, { clock });
  host = pool.host('127.0.0.1', upstream.port, H2);
}

function ask(plan: AttemptPlan = {}): RecordedAttempt {
  return new RecordedAttempt(pool, upstream.port, { transport: H2, ...plan });
}

function answerOk(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200 });
  stream.end('ok');
}

async function turn(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 100) await clock.advance(100);
}

describe('HTTP/2 connections to one upstream', () => {
  it('are as many as its streams need, and serve who waits', async () => {
    upstream.answer = () => undefined;
    use({ maxConnections: 2 });
    const attempts = Array.from({ length: 5 }, () => ask());
    await turnsUntil(() => upstream.streams.length === 4);
    expect(host.size).toBe(2);
    expect(host.waiting).toBe(1);
    upstream.answer = (stream) => answerOk(stream);
    for (const stream of [...upstream.streams]) answerOk(stream);
    for (const attempt of attempts) expect(await attempt.outcome).toBe('end');
    expect(upstream.sessions).toHaveLength(2);
  });

  it('leave nothing of a thousand requests that were given up', async () => {
    upstream.answer = () => undefined;
    for (let round = 0; round < 100; round++) {
      const attempts = Array.from({ length: 10 }, () => ask());
      if (round % 2 === 0) await turnsUntil(() => upstream.streams.length >= 2);
      for (const attempt of attempts) attempt.exchange.abort();
      await turns();
    }
    await turnsUntil(() => upstream.streams.length === 0);
    expect(upstream.sessions.length).toBeLessThan(20);
    upstream.answer = (stream) => answerOk(stream);
    expect(await ask().outcome).toBe('end');
    await turns();
    await turn(61_000);
    await turnsUntil(() => host.size === 0 && host.waiting === 0);
  });

  it('to an upstream that takes no streams for now are not made over and over', async () => {
    const closed = await Http2Upstream.listen({ settings: { maxConcurrentStreams: 0 } });
    const attempt = new RecordedAttempt(pool, closed.port, { transport: H2 });
    await turnsUntil(() => closed.sessions.length === 1);
    await turns();
    expect(closed.sessions).toHaveLength(1);
    closed.sessions[0]?.settings({ maxConcurrentStreams: 1 });
    expect(await attempt.outcome).toBe('end');
    pool.close();
    await closed.close();
  });

  it('that only end what they carry do not count against the limit', async () => {
    upstream.answer = () => undefined;
    use({});
    const one = createUpstreamTransport({ protocol: 'h2', maxConnections: 1 });
    const long = ask({ transport: one });
    await turnsUntil(() => upstream.streams.length === 1);
    upstream.sessions[0]?.goaway(0);
    await turns();
    upstream.answer = (stream) => answerOk(stream);
    expect(await ask({ transport: one }).outcome).toBe('end');
    expect(upstream.sessions).toHaveLength(2);
    for (const stream of [...upstream.streams]) if (!stream.headersSent) answerOk(stream);
    expect(await long.outcome).toBe('end');
  });

  it('are closed when idle', async () => {
    expect(await ask().outcome).toBe('end');
    await turnsUntil(() => upstream.streams.length === 0);
    await turns();
    expect(host.size).toBe(1);
    await turn(61_000);
    await turnsUntil(() => host.size === 0);
  });

  it('end with the pool, but not before their exchanges', async () => {
    upstream.answer = () => undefined;
    const attempt = ask();
    await turnsUntil(() => upstream.streams.length === 1);
    pool.forget('127.0.0.1', upstream.port);
    upstream.streams[0]?.respond({ ':status': 200 });
    upstream.streams[0]?.end('ok');
    expect(await attempt.outcome).toBe('end');
    await turnsUntil(() => host.size === 0);
  });

  it('that are silent are asked for a sign of life, seldom', async () => {
    let pings = 0;
    upstream.answer = () => undefined;
    use({ exchangeIdleTimeoutMs: 3_600_000 });
    const attempt = ask();
    await turnsUntil(() => upstream.streams.length === 1);
    upstream.sessions[0]?.on('ping', () => pings++);
    await turn(61_000);
    await turnsUntil(() => pings === 1);
    // The answer has to be back before the clock goes on.
    await turns();
    await turn(290_000);
    expect(pings).toBe(1);
    await turn(20_000);
    await turnsUntil(() => pings === 2);
    attempt.exchange.abort();
  });
});

describe('an upstream that is no HTTP/2 server', () => {
  it('fails all who wait, and nothing was sent', async () => {
    const { server, port } = await aServer((socket) => {
      socket.on('error', () => undefined);
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    });
    const attempts = [1, 2, 3].map(() => new RecordedAttempt(pool, port, { transport: H2 }));
    for (const attempt of attempts) {
      expect(await attempt.outcome).toBe('CONNECT_FAILED');
      expect(attempt.exchange.requestStarted).toBe(false);
    }
    server.close();
  });

  it('is not waited for longer than for a connection', async () => {
    const sockets: Socket[] = [];
    const { server, port } = await aServer((socket) => sockets.push(socket));
    const attempt = new RecordedAttempt(pool, port, { transport: H2 });
    await turnsUntil(() => sockets.length === 1);
    await turns();
    await turn(2_200);
    expect(await attempt.outcome).toBe('CONNECT_FAILED');
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  it('that is heard of while it owes the answer to a PING lives on', async () => {
    const { server, port } = await aServer((socket) => {
      socket.on('error', () => undefined);
      socket.write(EMPTY_SETTINGS);
      peer = socket;
    });
    let peer: Socket | undefined;
    use({ exchangeIdleTimeoutMs: 3_600_000 });
    const attempt = new RecordedAttempt(pool, port, { transport: H2 });
    await turnsUntil(() => attempt.exchange.requestStarted);
    await turn(65_000);
    peer?.write(Buffer.from([0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88]));
    await turnsUntil(() => attempt.head !== undefined);
    await turn(15_000);
    peer?.write(Buffer.from([0, 0, 1, 0, 1, 0, 0, 0, 1, 0x61]));
    expect(await attempt.outcome).toBe('end');
    pool.close();
    server.close();
  });

  it('that never answers a PING is given up, and every stream of it fails', async () => {
    // SETTINGS, and nothing ever again.
    const { server, port } = await aServer((socket) => {
      socket.on('error', () => undefined);
      socket.write(EMPTY_SETTINGS);
    });
    use({ exchangeIdleTimeoutMs: 3_600_000 });
    const attempt = new RecordedAttempt(pool, port, { transport: H2 });
    const silent = pool.host('127.0.0.1', port, H2);
    await turnsUntil(() => attempt.exchange.requestStarted);
    await turn(75_000);
    expect(await attempt.outcome).toBe('CLOSED_BEFORE_RESPONSE');
    await turnsUntil(() => silent.size === 0);
    server.close();
  });
});
