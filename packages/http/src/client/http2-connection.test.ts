import { once } from 'node:events';
import { TurnableClock } from '@portolan/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CHUNKED, lengthFraming } from '../message/framing.ts';
import { aServer, EMPTY_SETTINGS, streamFrames } from '../test-peers/http2-frames.ts';
import { Http2Upstream } from '../test-peers/http2-upstream.ts';
import { turnsUntil } from '../test-peers/raw-peer.ts';
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

describe('a request on an HTTP/2 connection', () => {
  it('carries what its head says, under the pseudo-fields HTTP/2 has for it', async () => {
    let seen: readonly string[] = [];
    upstream.answer = (stream, _headers, raw) => {
      seen = raw;
      stream.respond({ ':status': 204 });
      stream.end();
    };
    const lines = 'X-Twice: 1\r\nx-twice: 2\r\nUser-Agent: a\r\nUser-Agent: b\r\nX-Latin: \xe9\r\n';
    const attempt = ask({ method: 'GET', target: '/a?b=c', lines: `${lines}Keep-Alive: 5\r\n` });
    expect(await attempt.outcome).toBe('end');
    expect(seen.slice(0, 8)).toEqual([
      ...[':method', 'GET', ':scheme', 'http', ':authority', 'a', ':path', '/a?b=c'],
    ]);
    expect(seen.slice(8)).toEqual([
      ...['x-twice', '1', 'x-twice', '2', 'user-agent', 'a', 'user-agent', 'b'],
      ...['x-latin', '\xe9', 'te', 'trailers'],
    ]);
    expect(attempt.head?.status).toBe(204);
    expect(attempt.head?.framing.kind).toBe('none');
  });

  it('has its body and trailers both ways', async () => {
    upstream.answer = (stream, headers) => {
      stream.respond(
        { ':status': 200, length: headers['content-length'] ?? '-' },
        { waitForTrailers: true },
      );
      let trailers = '';
      stream.on('trailers', (received) => {
        trailers = String(received['x-sum']);
      });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': `${trailers}!` }));
      stream.pipe(stream);
    };
    const attempt = ask({
      method: 'POST',
      framing: CHUNKED,
      afterHead: (exchange) => {
        exchange.write(Buffer.from('hello '));
        exchange.end(Buffer.from('world'), 'X-Sum: 11\r\nConnection: close\r\n');
      },
    });
    expect(await attempt.outcome).toBe('end');
    expect(attempt.body).toBe('hello world');
    expect(attempt.head?.framing.kind).toBe('chunked');
    expect(attempt.head?.get('length')).toBe('-');
    expect(attempt.trailers?.raw).toEqual(['x-sum', '11!']);
  });

  it('has a length where one was announced, and is cancelled when its body does not keep to it', async () => {
    upstream.answer = (stream, headers) => {
      stream.respond({ ':status': 200, 'x-length': headers['content-length'] });
      stream.pipe(stream);
    };
    const whole = ask({
      method: 'PUT',
      framing: lengthFraming(3),
      afterHead: (exchange) => exchange.end(Buffer.from('abc')),
    });
    expect(await whole.outcome).toBe('end');
    expect(whole.head?.get('x-length')).toBe('3');
    const short = ask({
      method: 'PUT',
      framing: lengthFraming(3),
      afterHead: (exchange) => exchange.end(Buffer.from('ab')),
    });
    expect(await short.outcome).toBe('CLOSED_BEFORE_RESPONSE');
    const long = ask({
      method: 'PUT',
      framing: lengthFraming(3),
      afterHead: (exchange) => exchange.write(Buffer.from('abcd')),
    });
    expect(await long.outcome).toBe('CLOSED_BEFORE_RESPONSE');
  });

  it('hears interim answers, but not without end', async () => {
    upstream.answer = (stream) => {
      stream.additionalHeaders({ ':status': 103, link: '</a.css>' });
      stream.respond({ ':status': 200 });
      stream.end();
    };
    const attempt = ask();
    expect(await attempt.outcome).toBe('end');
    expect(attempt.informational).toEqual([103]);
    upstream.answer = (stream) => {
      for (let count = 0; count < 9; count++) stream.additionalHeaders({ ':status': 103 });
    };
    const endless = ask();
    expect(await endless.outcome).toBe('RESPONSE_MALFORMED');
    expect(endless.error?.protocolCode).toBe('TOO_MANY_INFORMATIONAL');
  });

  it('gets an empty body with a length where the head was all there is', async () => {
    upstream.answer = (stream) =>
      stream.respond({ ':status': 200, 'grpc-status': '5' }, { endStream: true });
    const attempt = ask({ method: 'POST', framing: lengthFraming(0) });
    expect(await attempt.outcome).toBe('end');
    expect(attempt.head?.framing).toEqual({ kind: 'length', length: 0 });
    expect(attempt.head?.get('grpc-status')).toBe('5');
  });

  it('may not switch protocols', async () => {
    const attempt = ask({ upgrade: 'websocket' });
    expect(await attempt.outcome).toBe('UPGRADE_UNSUPPORTED');
    expect(await ask().outcome).toBe('end');
  });

  it('that is given up resets its stream and no other', async () => {
    upstream.answer = () => undefined;
    const given = ask();
    const kept = ask();
    await turnsUntil(() => upstream.streams.length === 2);
    const [first, second] = upstream.streams;
    given.exchange.abort();
    await once(first as NonNullable<typeof first>, 'close');
    expect(first?.rstCode).toBe(8);
    second?.respond({ ':status': 200 });
    second?.end('ok');
    expect(await kept.outcome).toBe('end');
    expect(given.ends).toEqual([]);
    expect(upstream.sessions).toHaveLength(1);
  });

  it('that is given up within its body does not end that body first', async () => {
    const frames: number[][] = [];
    const { server, port } = await aServer((socket) => {
      let read = Buffer.alloc(0);
      socket.on('error', () => undefined);
      socket.write(EMPTY_SETTINGS);
      socket.on('data', (piece) => {
        read = Buffer.concat([read, piece]);
        frames.splice(0, frames.length, ...streamFrames(read));
      });
    });
    const attempt = new RecordedAttempt(pool, port, {
      transport: H2,
      method: 'POST',
      framing: CHUNKED,
      afterHead: (exchange) => exchange.write(Buffer.from('part')),
    });
    await turnsUntil(() => frames.length === 2);
    attempt.exchange.abort();
    await turnsUntil(() => frames.length === 3);
    // HEADERS, DATA without END_STREAM, and RST_STREAM with CANCEL.
    expect(frames).toEqual([
      [1, 4],
      [0, 0],
      [3, 0],
    ]);
    server.close();
  });

  it('is stopped once the whole answer came before the whole request', async () => {
    upstream.answer = (stream) => {
      stream.respond({ ':status': 413 });
      stream.end('no');
    };
    const attempt = ask({ method: 'POST', framing: CHUNKED });
    expect(await attempt.outcome).toBe('end');
    expect(attempt.body).toBe('no');
    await turnsUntil(() => upstream.streams.length === 0);
  });

  it('keeps the upstream back while its answer is not read, and other streams go on', async () => {
    const big = Buffer.alloc(4_000_000, 1);
    let sent = false;
    upstream.answer = (stream, headers) => {
      stream.respond({ ':status': 200 });
      if (headers[':path'] === '/big')
        stream.end(big, () => {
          sent = true;
        });
      else stream.end('ok');
    };
    const slow = ask({ target: '/big', onHead: (exchange) => exchange.pause() });
    await turnsUntil(() => slow.head !== undefined);
    expect(await ask().outcome).toBe('end');
    expect(sent).toBe(false);
    expect(slow.body.length).toBeLessThan(1_000_000);
    slow.exchange.resume();
    expect(await slow.outcome).toBe('end');
    expect(slow.body.length).toBe(4_000_000);
  });

  it('is kept back itself until the upstream reads, and then told to go on', async () => {
    let incoming: { resume(): unknown } | undefined;
    upstream.answer = (stream) => {
      incoming = stream;
      stream.on('end', () => {
        stream.respond({ ':status': 200 });
        stream.end();
      });
    };
    const piece = Buffer.alloc(65_536);
    let welcome = true;
    const attempt = ask({
      method: 'POST',
      framing: CHUNKED,
      afterHead: (exchange) => {
        for (let count = 0; count < 32 && welcome; count++) welcome = exchange.write(piece);
      },
    });
    await turnsUntil(() => incoming !== undefined);
    expect(welcome).toBe(false);
    expect(attempt.drains).toBe(0);
    incoming?.resume();
    await turnsUntil(() => attempt.drains > 0);
    attempt.exchange.end();
    expect(await attempt.outcome).toBe('end');
  });
});

describe('an answer that was cut', () => {
  it.each([
    ['by a reset', 2],
    ['by a reset that claims that nothing is wrong', 0],
  ])('%s is not taken for whole', async (_how, code) => {
    const { server, port } = await aServer((socket) => {
      socket.on('error', () => undefined);
      socket.write(EMPTY_SETTINGS);
      const status200 = Buffer.from([0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88]);
      const half = Buffer.from([0, 0, 4, 0, 0, 0, 0, 0, 1, ...Buffer.from('half')]);
      const reset = Buffer.from([0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, code]);
      socket.on('data', (frames) => {
        if (streamFrames(frames).length > 0) socket.write(Buffer.concat([status200, half, reset]));
      });
    });
    const attempt = new RecordedAttempt(pool, port, { transport: H2 });
    expect(await attempt.outcome).toBe('RESPONSE_TRUNCATED');
    server.close();
  });

  it('by the end of the connection fails every stream of it', async () => {
    upstream.answer = (stream, headers) => {
      if (headers[':path'] === '/begun') stream.respond({ ':status': 200 });
    };
    const begun = ask({ target: '/begun' });
    const waiting = ask();
    await turnsUntil(() => begun.head !== undefined && upstream.streams.length === 2);
    upstream.sessions[0]?.destroy();
    expect(await begun.outcome).toBe('RESPONSE_TRUNCATED');
    expect(await waiting.outcome).toBe('CLOSED_BEFORE_RESPONSE');
    await turnsUntil(() => host.size === 0);
  });

  it('or breaks a rule of HTTP/2 fails alone', async () => {
    upstream.answer = (stream) => {
      stream.respond({ ':status': 200, 'content-length': '10' });
      stream.end('short');
    };
    expect(await ask().outcome).toBe('RESPONSE_TRUNCATED');
    upstream.answer = (stream) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'content-length': '3' }));
      stream.end('abc');
    };
    const trailed = ask();
    expect(await trailed.outcome).toBe('RESPONSE_MALFORMED');
    expect(trailed.error?.protocolCode).toBe('TRAILER_FORBIDDEN');
    expect(upstream.sessions).toHaveLength(1);
  });
});

describe('an answer whose head', () => {
  it.each<readonly [string, Record<string, string>]>([
    ['is too large', { 'x-large': 'x'.repeat(40_000) }],
    [
      'has too many fields',
      Object.fromEntries(Array.from({ length: 120 }, (_, at) => [`x-${at}`, ''])),
    ],
  ])('%s is refused, and its connection serves on', async (_how, fields) => {
    use({ headBytes: 30_000 });
    upstream.answer = (stream, headers) => {
      stream.respond({ ':status': 200, ...(headers[':path'] === '/large' ? fields : {}) });
      stream.end('ok');
    };
    expect(await ask({ target: '/large' }).outcome).toBe('RESPONSE_MALFORMED');
    expect(await ask().outcome).toBe('end');
    expect(upstream.sessions).toHaveLength(1);
  });
});

describe('a request that the upstream did not work on', () => {
  it('says so when its stream was refused', async () => {
    upstream.answer = (stream) => stream.close(7);
    expect(await ask({ method: 'POST' }).outcome).toBe('STREAM_REFUSED');
  });

  it.each([
    ['in peace', 0],
    ['in anger', 11],
  ])('says so when the upstream went away %s before it', async (_how, code) => {
    upstream.answer = (stream, headers) => {
      if (headers[':path'] === '/first') return;
      stream.session?.goaway(code, 1);
    };
    const first = ask({ target: '/first' });
    await turnsUntil(() => upstream.streams.length === 1);
    const second = ask();
    expect(await second.outcome).toBe('STREAM_REFUSED');
    if (code !== 0) {
      expect(await first.outcome).toBe('CLOSED_BEFORE_RESPONSE');
      return;
    }
    upstream.streams[0]?.respond({ ':status': 200 });
    upstream.streams[0]?.end('ok');
    expect(await first.outcome).toBe('end');
    upstream.answer = (stream) => {
      stream.respond({ ':status': 200 });
      stream.end('ok');
    };
    expect(await ask().outcome).toBe('end');
    expect(upstream.sessions).toHaveLength(2);
  });
});
