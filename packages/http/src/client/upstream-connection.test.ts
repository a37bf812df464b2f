import { TurnableClock } from '@portolan/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CHUNKED, lengthFraming } from '../message/framing.ts';
import { listenRaw, type RawListener, turns, turnsUntil } from '../test-peers/raw-peer.ts';
import { type AttemptPlan, RecordedAttempt } from '../test-peers/recorded-attempt.ts';
import { ConnectionPool } from './connection-pool.ts';
import type { HostPool } from './host-pool.ts';

let clock: TurnableClock;
let upstream: RawListener;
let pool: ConnectionPool;
let host: HostPool;

beforeEach(async () => {
  clock = new TurnableClock();
  upstream = await listenRaw();
  pool = new ConnectionPool({}, { clock });
  host = pool.host('127.0.0.1', upstream.port);
});

afterEach(async () => {
  pool.close();
  await upstream.close();
});

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const EVIL = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL';

/** Sends a request on the connection of that number and answers with those bytes. */
async function answered(
  answer: string | readonly string[],
  plan: AttemptPlan = {},
  connection = 0,
): Promise<RecordedAttempt> {
  const attempt = new RecordedAttempt(pool, upstream.port, plan);
  const peer = await upstream.peer(connection);
  const sent = peer.received.length;
  await turnsUntil(() => peer.received.indexOf('\r\n\r\n', sent) >= 0);
  if (typeof answer === 'string') peer.send(answer);
  else await peer.sendPieces(answer);
  return attempt;
}

describe('response-queue poisoning', () => {
  it('is no answer to a request begun while the surplus lay unread in the kernel', async () => {
    await (await answered(OK)).outcome;
    expect(host.idle).toBe(1);
    const first = await upstream.peer(0);
    // Both in one turn: the bytes are there before the request is written, but nobody has read them.
    first.send(EVIL);
    const next = new RecordedAttempt(pool, upstream.port);
    const second = await upstream.peer(1);
    await second.until('\r\n\r\n');
    second.send(OK);
    expect(await next.outcome).toBe('end');
    expect(next.body).toBe('ok');
    expect(first.received.match(/GET/g)).toHaveLength(1);
    await first.untilEnded();
  });

  it('is no answer to a request that waited for the connection', async () => {
    pool.close();
    pool = new ConnectionPool({ maxConnections: 1 }, { clock });
    const attempt = new RecordedAttempt(pool, upstream.port, {
      // The moment the first response ends, the second request is due on this connection.
      onHead: () => void upstream.peers[0]?.send(EVIL),
    });
    const waiting = new RecordedAttempt(pool, upstream.port);
    const first = await upstream.peer(0);
    await first.until('\r\n\r\n');
    first.send(OK);
    await attempt.outcome;
    const second = await upstream.peer(1);
    await second.until('\r\n\r\n');
    second.send(OK);
    await waiting.outcome;
    expect([attempt.body, waiting.body]).toEqual(['ok', 'ok']);
  });

  it('closes an idle connection at the first byte nobody asked for', async () => {
    await (await answered(OK)).outcome;
    const peer = await upstream.peer(0);
    peer.send('H');
    await peer.untilEnded();
    await turnsUntil(() => host.size === 0);
    expect(host.idle).toBe(0);
  });

  it('ends with the response it came behind', async () => {
    const attempt = await answered(OK + EVIL);
    expect(await attempt.outcome).toBe('end');
    expect(attempt.body).toBe('ok');
    expect(host.size).toBe(0);
  });

  it.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\nok'],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nok'],
  ])('by a body where none may be (%s, %j) closes the connection', async (method, answer) => {
    const attempt = await answered(answer, { method });
    expect(await attempt.outcome).toBe('end');
    expect(attempt.body).toBe('');
    expect(host.size).toBe(0);
  });
});

describe('a response is refused', () => {
  const head = (lines: string): string => `HTTP/1.1 200 OK\r\n${lines}\r\n`;
  it.each([
    ['OBSOLETE_FOLD', head('A: b\r\n c\r\n')],
    ['OBSOLETE_FOLD', 'HTTP/1.1 200 OK\r\n A: b\r\n\r\n'],
    ['SPACE_BEFORE_COLON', head('Content-Length : 2\r\n')],
    ['CONTENT_LENGTH_DUPLICATE', head('Content-Length: 2\r\ncontent-length: 2\r\n')],
    ['CONTENT_LENGTH_INVALID', head('Content-Length: 2, 2\r\n')],
    ['CONTENT_LENGTH_INVALID', head('Content-Length: -1\r\n')],
    ['LENGTH_AND_ENCODING', head('Content-Length: 2\r\nTransfer-Encoding: chunked\r\n')],
    ['TRANSFER_ENCODING_UNSUPPORTED', head('Transfer-Encoding: chunked, gzip\r\n')],
    ['TRANSFER_ENCODING_UNSUPPORTED', head('Transfer-Encoding: identity\r\n')],
    ['TRANSFER_ENCODING_DUPLICATE', head('Transfer-Encoding: chunked\r\n'.repeat(2))],
    [
      'TRANSFER_ENCODING_IN_HTTP_1_0',
      'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['BARE_LF', 'HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n'],
    ['CONTROL_CHARACTER', head('A: \0\r\n')],
    ['HEAD_TOO_LARGE', head(`A: ${'b'.repeat(70_000)}\r\n`)],
    ['TOO_MANY_FIELDS', head('A: b\r\n'.repeat(101))],
    ['STATUS_LINE_MALFORMED', 'HTTP/1.1 099 Odd\r\n\r\n'],
    ['STATUS_LINE_MALFORMED', 'HTTP/1.1 600 Odd\r\n\r\n'],
    ['STATUS_LINE_MALFORMED', 'HTTP/1.1 2000 Odd\r\n\r\n'],
    ['REQUEST_LINE_MALFORMED', 'ICY 200 OK and more\r\n\r\n'],
    ['VERSION_NOT_SUPPORTED', 'HTTP/2.0 200 OK\r\n\r\n'],
    ['SWITCH_UNASKED', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    ['INTERIM_WITH_BODY', 'HTTP/1.1 103 Hints\r\nContent-Length: 2\r\n\r\n'],
    ['TOO_MANY_INFORMATIONAL', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(9)],
    ['CHUNK_SIZE_INVALID', head('Transfer-Encoding: chunked\r\n').concat('0x2\r\n')],
  ])('with %s', async (code, answer) => {
    const attempt = await answered(answer);
    expect(await attempt.outcome).toBe('RESPONSE_MALFORMED');
    expect(attempt.error?.protocolCode).toBe(code);
    expect(attempt.exchange).toMatchObject({ requestStarted: true, responseStarted: true });
    expect(host.size).toBe(0);
    await (await upstream.peer(0)).untilEnded();
    expect(attempt.ends).toHaveLength(1);
  });
});

describe('an upgrade', () => {
  const plan: AttemptPlan = { upgrade: 'websocket' };

  it('hands over the socket with what was read behind the 101', async () => {
    const attempt = await answered(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nfirst',
      plan,
    );
    expect(await attempt.outcome).toBe('upgrade');
    expect(attempt.upgraded?.surplus).toBe('first');
    expect(host.size).toBe(0);
    expect((await upstream.peer(0)).received).toContain(
      'Connection: Upgrade\r\nUpgrade: websocket\r\n',
    );
    attempt.upgraded?.socket.destroy();
  });

  it('is not begun by a 200: what follows is a body and nothing more', async () => {
    const attempt = await answered(OK, plan);
    expect(await attempt.outcome).toBe('end');
    expect(attempt.upgraded).toBeUndefined();
    expect(attempt.body).toBe('ok');
  });
});

describe('a body', () => {
  it('is absent after HEAD, 204 and 304, and the connection serves on', async () => {
    const statuses = ['200 OK', '204 No Content', '304 Not Modified'];
    for (const status of statuses) {
      const attempt = await answered(`HTTP/1.1 ${status}\r\nContent-Length: 7\r\n\r\n`, {
        method: status === '200 OK' ? 'HEAD' : 'GET',
      });
      expect(await attempt.outcome).toBe('end');
      expect(attempt.head?.declared).toEqual({ kind: 'length', length: 7 });
    }
    expect(upstream.peers).toHaveLength(1);
    expect(host.idle).toBe(1);
  });

  it('without framing ends with the connection', async () => {
    const attempt = await answered('HTTP/1.1 200 OK\r\n\r\nall of');
    const peer = await upstream.peer(0);
    await turnsUntil(() => attempt.body === 'all of');
    peer.socket.end(' it');
    expect(await attempt.outcome).toBe('end');
    expect(attempt.body).toBe('all of it');
    expect(host.size).toBe(0);
  });

  it('without framing that ends with a reset is truncated', async () => {
    const attempt = await answered('HTTP/1.1 200 OK\r\n\r\nall of');
    await turnsUntil(() => attempt.body === 'all of');
    (await upstream.peer(0)).socket.resetAndDestroy();
    expect(await attempt.outcome).toBe('RESPONSE_TRUNCATED');
  });

  it.each(['Content-Length: 5', 'Transfer-Encoding: chunked'])(
    'cut short is no whole one (%s)',
    async (line) => {
      const attempt = await answered(`HTTP/1.1 200 OK\r\n${line}\r\n\r\n2\r\n`);
      (await upstream.peer(0)).socket.end();
      expect(await attempt.outcome).toBe('RESPONSE_TRUNCATED');
      expect(attempt.exchange.responseStarted).toBe(true);
      expect(attempt.ends).toEqual(['RESPONSE_TRUNCATED']);
    },
  );

  it('arrives alike however it is split, with interim responses and trailers', async () => {
    const answer =
      'HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n';
    for (const pieces of [[answer], [...answer]]) {
      const attempt = await answered(pieces);
      expect(await attempt.outcome).toBe('end');
      expect(attempt).toMatchObject({ body: 'abc', informational: [103] });
      expect(attempt.trailers?.get('x-sum')).toBe('1');
    }
    expect(upstream.peers).toHaveLength(1);
  });

  it('waits in the kernel while it is paused', async () => {
    const attempt = await answered('HTTP/1.1 200 OK\r\nContent-Length: 32000000\r\n\r\n', {
      onHead: (exchange) => exchange.pause(),
    });
    const peer = await upstream.peer(0);
    await turnsUntil(() => attempt.head !== undefined);
    // More than the kernel's buffers of both sides take at their largest.
    peer.send('x'.repeat(32_000_000));
    await turns(50);
    expect(attempt.body.length).toBeLessThan(200_000);
    expect(peer.socket.writableLength).toBeGreaterThan(0);
    attempt.exchange.resume();
    expect(await attempt.outcome).toBe('end');
    expect(attempt.body).toHaveLength(32_000_000);
    expect(host.idle).toBe(1);
  });
});

describe('a request', () => {
  it('with a body meets back-pressure, and is told when more is welcome', async () => {
    const piece = Buffer.alloc(262_144, 'x');
    let written = 0;
    const attempt = new RecordedAttempt(pool, upstream.port, {
      method: 'POST',
      framing: CHUNKED,
      afterHead: () => void upstream.peers[0]?.socket.pause(),
    });
    const peer = await upstream.peer(0);
    peer.socket.pause();
    await turnsUntil(() => attempt.exchange.requestStarted);
    while (attempt.exchange.write(piece)) {
      written++;
      await turns(1);
      expect(written).toBeLessThan(200);
    }
    expect(attempt.drains).toBe(0);
    peer.socket.resume();
    await turnsUntil(() => attempt.drains === 1);
    attempt.exchange.end();
    await peer.until('\r\n0\r\n\r\n');
    peer.send(OK);
    expect(await attempt.outcome).toBe('end');
    expect(host.idle).toBe(1);
  });

  it('is sent with its trailers', async () => {
    const attempt = await answered(OK, {
      method: 'POST',
      framing: CHUNKED,
      afterHead: (exchange) => exchange.end(Buffer.from('abc'), 'X-Sum: 1\r\n'),
    });
    expect(await attempt.outcome).toBe('end');
    const { received } = await upstream.peer(0);
    expect(received).toContain('\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n');
  });

  it('still being sent when its response is complete costs the connection', async () => {
    const attempt = await answered(OK, { method: 'POST', framing: lengthFraming(10) });
    expect(await attempt.outcome).toBe('end');
    expect(host.size).toBe(0);
    expect(attempt.exchange.write(Buffer.from('late'))).toBe(true);
    await (await upstream.peer(0)).untilEnded();
  });

  it('aborted inside the response leaves no socket and hears no more', async () => {
    const attempt = await answered('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc');
    await turnsUntil(() => attempt.body === 'abc');
    attempt.exchange.abort();
    expect(host.size).toBe(0);
    const peer = await upstream.peer(0);
    peer.send('defghi');
    await peer.untilEnded();
    await turns();
    expect(attempt).toMatchObject({ body: 'abc', ends: [] });
  });

  it('that misses its announced length is cut off and told, not thrown into a callback', async () => {
    const short = new RecordedAttempt(pool, upstream.port, {
      method: 'POST',
      framing: lengthFraming(4),
      afterHead: (exchange) => exchange.end(Buffer.from('abc')),
    });
    expect(await short.outcome).toBe('CLOSED_BEFORE_RESPONSE');
    const long = new RecordedAttempt(pool, upstream.port, {
      method: 'POST',
      framing: lengthFraming(4),
      afterHead: (exchange) => void exchange.write(Buffer.from('abcde')),
    });
    expect(await long.outcome).toBe('CLOSED_BEFORE_RESPONSE');
    expect(host.size).toBe(0);
    expect(short.ends).toHaveLength(1);
  });
});

describe('an upstream that is silent', () => {
  it('in the response is given up after the idle time', async () => {
    const attempt = await answered('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n');
    await turnsUntil(() => attempt.head !== undefined);
    await clock.advance(59_000);
    expect(attempt.ends).toEqual([]);
    await clock.advance(2_000);
    expect(await attempt.outcome).toBe('IDLE_TIMEOUT');
    expect(host.size).toBe(0);
  });

  it('while the request is still being written is not given up', async () => {
    const attempt = new RecordedAttempt(pool, upstream.port, { method: 'POST', framing: CHUNKED });
    await turnsUntil(() => attempt.exchange.requestStarted);
    for (let minute = 0; minute < 4; minute++) {
      await clock.advance(40_000);
      attempt.exchange.write(Buffer.from('x'));
    }
    expect(attempt.ends).toEqual([]);
    await clock.advance(61_000);
    expect(await attempt.outcome).toBe('IDLE_TIMEOUT');
  });
});
