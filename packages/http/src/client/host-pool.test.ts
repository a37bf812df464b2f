import { Socket } from 'node:net';
import { TurnableClock } from '@portolan/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listenRaw, type RawListener, turns, turnsUntil } from '../test-peers/raw-peer.ts';
import { RecordedAttempt } from '../test-peers/recorded-attempt.ts';
import { ConnectionPool } from './connection-pool.ts';
import type { PoolLimits } from './host-pool.ts';
import { createUpstreamTransport } from './upstream-transport.ts';

let clock: TurnableClock;
let upstream: RawListener;
const pools: ConnectionPool[] = [];

beforeEach(async () => {
  clock = new TurnableClock();
  upstream = await listenRaw();
});

afterEach(async () => {
  for (const pool of pools.splice(0)) pool.close();
  await upstream.close();
});

function aPool(
  limits: Partial<PoolLimits> = {},
  dial?: (address: string, port: number) => Socket,
): ConnectionPool {
  const pool = new ConnectionPool(limits, { clock, ...(dial ? { dial } : {}) });
  pools.push(pool);
  return pool;
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

async function serve(connection: number, requests = 1): Promise<void> {
  const peer = await upstream.peer(connection);
  await turnsUntil(() => (peer.received.match(/\r\n\r\n/g)?.length ?? 0) >= requests);
  peer.send(OK);
}

describe('a connection', () => {
  it('serves one request after another', async () => {
    const pool = aPool();
    for (let request = 1; request <= 3; request++) {
      const attempt = new RecordedAttempt(pool, upstream.port);
      await serve(0, request);
      expect(await attempt.outcome).toBe('end');
      expect(attempt.exchange.reused).toBe(request > 1);
    }
    expect(upstream.peers).toHaveLength(1);
  });

  it.each([
    'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n',
  ])('is not used again after %j', async (answer) => {
    const pool = aPool();
    const attempt = new RecordedAttempt(pool, upstream.port);
    const peer = await upstream.peer(0);
    await peer.until('\r\n\r\n');
    peer.send(answer);
    expect(await attempt.outcome).toBe('end');
    expect(pool.host('127.0.0.1', upstream.port).size).toBe(0);
    await peer.untilEnded();
  });

  it('closed by its idle peer is replaced before the next request', async () => {
    const pool = aPool();
    const first = new RecordedAttempt(pool, upstream.port);
    await serve(0);
    await first.outcome;
    // In one turn: the FIN is in the kernel, and nobody has read it.
    upstream.peers[0]?.socket.end();
    const next = new RecordedAttempt(pool, upstream.port);
    await serve(1);
    expect(await next.outcome).toBe('end');
    expect(next.exchange.reused).toBe(false);
    expect(upstream.peers[0]?.received.match(/GET/g)).toHaveLength(1);
  });

  it('closed at the request says that no byte came back, so that a retry can be judged', async () => {
    const pool = aPool();
    const first = new RecordedAttempt(pool, upstream.port);
    await serve(0);
    await first.outcome;
    const next = new RecordedAttempt(pool, upstream.port);
    const peer = await upstream.peer(0);
    await turnsUntil(() => peer.received.match(/GET/g)?.length === 2);
    peer.socket.end();
    expect(await next.outcome).toBe('CLOSED_BEFORE_RESPONSE');
    expect(next.exchange).toMatchObject({
      reused: true,
      requestStarted: true,
      responseStarted: false,
    });
  });

  it('is closed when idle for four seconds, before the five of common servers', async () => {
    const pool = aPool();
    const attempt = new RecordedAttempt(pool, upstream.port);
    await serve(0);
    await attempt.outcome;
    await clock.advance(3_900);
    expect(pool.host('127.0.0.1', upstream.port).idle).toBe(1);
    await clock.advance(500);
    expect(pool.host('127.0.0.1', upstream.port).size).toBe(0);
    await (await upstream.peer(0)).untilEnded();
  });

  it('of a forgotten upstream ends at once when idle, else after its exchange', async () => {
    const pool = aPool();
    const host = pool.host('127.0.0.1', upstream.port);
    const busy = new RecordedAttempt(pool, upstream.port);
    const idle = new RecordedAttempt(pool, upstream.port);
    await upstream.peer(1);
    await turnsUntil(() => upstream.peers.every((peer) => peer.received !== ''));
    // Which of the two came first is the kernel's choice.
    upstream.peers[1]?.send(OK);
    await Promise.race([busy.outcome, idle.outcome]);
    expect(host).toMatchObject({ size: 2, idle: 1 });
    pool.forget('127.0.0.1', upstream.port);
    await upstream.peers[1]?.untilEnded();
    expect(upstream.peers[0]?.ended).toBe(false);
    upstream.peers[0]?.send(OK);
    expect(await Promise.all([busy.outcome, idle.outcome])).toEqual(['end', 'end']);
    await turnsUntil(() => host.size === 0);
  });
});

describe('a connection that cannot be made', () => {
  it('because nobody listens fails its request, of which nothing was sent', async () => {
    const closed = await listenRaw();
    await closed.close();
    const pool = aPool();
    const attempt = new RecordedAttempt(pool, closed.port);
    expect(await attempt.outcome).toBe('CONNECT_FAILED');
    expect(attempt.exchange).toMatchObject({ requestStarted: false, responseStarted: false });
    expect(pool.host('127.0.0.1', closed.port).size).toBe(0);
  });

  it('in time fails its request and leaves no socket', async () => {
    const sockets: Socket[] = [];
    const pool = aPool({}, () => {
      // Never connects: what a dropped SYN looks like.
      const socket = new Socket();
      sockets.push(socket);
      return socket;
    });
    const attempt = new RecordedAttempt(pool, upstream.port);
    await clock.advance(1_900);
    expect(attempt.ends).toEqual([]);
    await clock.advance(400);
    expect(await attempt.outcome).toBe('CONNECT_TIMEOUT');
    expect(sockets.map((socket) => socket.destroyed)).toEqual([true]);
    expect(pool.host('127.0.0.1', upstream.port).size).toBe(0);
  });
});

describe('requests beyond the connections', () => {
  it('wait in order, and use the connection that becomes free', async () => {
    const pool = aPool({ maxConnections: 1 });
    const order: string[] = [];
    const attempts = ['/1', '/2', '/3'].map((target) => {
      const attempt = new RecordedAttempt(pool, upstream.port, { target });
      void attempt.outcome.then(() => order.push(target));
      return attempt;
    });
    for (let request = 1; request <= 3; request++) await serve(0, request);
    await Promise.all(attempts.map(({ outcome }) => outcome));
    expect(order).toEqual(['/1', '/2', '/3']);
    expect(upstream.peers).toHaveLength(1);
  });

  it('are refused when as many wait as may, but not for those that gave up', async () => {
    const pool = aPool({ maxConnections: 1, maxWaiting: 2 });
    const busy = new RecordedAttempt(pool, upstream.port);
    await (await upstream.peer(0)).until('\r\n\r\n');
    const waiting = new RecordedAttempt(pool, upstream.port);
    const leaving = new RecordedAttempt(pool, upstream.port);
    expect(await new RecordedAttempt(pool, upstream.port).outcome).toBe('QUEUE_FULL');
    leaving.exchange.abort();
    const taken = new RecordedAttempt(pool, upstream.port);
    for (let request = 1; request <= 3; request++) await serve(0, request);
    const outcomes = [busy, waiting, taken].map(({ outcome }) => outcome);
    expect(await Promise.all(outcomes)).toEqual(['end', 'end', 'end']);
    expect(leaving.ends).toEqual([]);
  });

  it('are bounded by what their transport says, below the limits of the pool', async () => {
    const pool = aPool();
    const transport = createUpstreamTransport({ maxConnections: 1, maxWaiting: 1 });
    const busy = new RecordedAttempt(pool, upstream.port, { transport });
    await (await upstream.peer(0)).until('\r\n\r\n');
    const waiting = new RecordedAttempt(pool, upstream.port, { transport });
    expect(await new RecordedAttempt(pool, upstream.port, { transport }).outcome).toBe(
      'QUEUE_FULL',
    );
    for (let request = 1; request <= 2; request++) await serve(0, request);
    expect(await Promise.all([busy.outcome, waiting.outcome])).toEqual(['end', 'end']);
    expect(upstream.peers).toHaveLength(1);
  });

  it('are told when none became free in time', async () => {
    const pool = aPool({ maxConnections: 1 });
    const busy = new RecordedAttempt(pool, upstream.port);
    await (await upstream.peer(0)).until('\r\n\r\n');
    const waiting = new RecordedAttempt(pool, upstream.port);
    await clock.advance(5_300);
    expect(await waiting.outcome).toBe('QUEUE_TIMEOUT');
    expect(pool.host('127.0.0.1', upstream.port).waiting).toBe(0);
    await serve(0);
    expect(await busy.outcome).toBe('end');
  });

  it('get a new connection in place of one that broke', async () => {
    const pool = aPool({ maxConnections: 1 });
    const busy = new RecordedAttempt(pool, upstream.port);
    const peer = await upstream.peer(0);
    await peer.until('\r\n\r\n');
    const waiting = new RecordedAttempt(pool, upstream.port);
    peer.socket.resetAndDestroy();
    expect(await busy.outcome).toBe('CLOSED_BEFORE_RESPONSE');
    await serve(1);
    expect(await waiting.outcome).toBe('end');
  });

  it('fail when the pool closes, and so do later ones', async () => {
    const pool = aPool({ maxConnections: 1 });
    const busy = new RecordedAttempt(pool, upstream.port);
    await (await upstream.peer(0)).until('\r\n\r\n');
    const waiting = new RecordedAttempt(pool, upstream.port);
    pool.close();
    expect(await waiting.outcome).toBe('POOL_CLOSED');
    expect(await new RecordedAttempt(pool, upstream.port).outcome).toBe('POOL_CLOSED');
    await serve(0);
    expect(await busy.outcome).toBe('end');
    await (await upstream.peer(0)).untilEnded();
    expect(clock.pending).toBe(0);
  });

  it('that gave up while dialling leave the connection to others', async () => {
    const pool = aPool();
    const host = pool.host('127.0.0.1', upstream.port);
    new RecordedAttempt(pool, upstream.port).exchange.abort();
    await turnsUntil(() => host.idle === 1);
    const attempt = new RecordedAttempt(pool, upstream.port);
    await serve(0);
    expect(await attempt.outcome).toBe('end');
  });
});

describe('a connection being looked at once more', () => {
  it('goes back to the pool when its request gives up meanwhile', async () => {
    const pool = aPool();
    const host = pool.host('127.0.0.1', upstream.port);
    const first = new RecordedAttempt(pool, upstream.port);
    await serve(0);
    await first.outcome;
    const leaving = new RecordedAttempt(pool, upstream.port);
    expect(host.idle).toBe(0);
    leaving.exchange.abort();
    await turnsUntil(() => host.idle === 1);
    await turns();
    expect(upstream.peers[0]?.received.match(/GET/g)).toHaveLength(1);
  });
});
