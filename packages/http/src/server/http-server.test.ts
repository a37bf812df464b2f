import { TurnableClock } from '@portolan/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lengthFraming } from '../message/framing.ts';
import { dialRaw, turns, turnsUntil } from '../test-peers/raw-peer.ts';
import { dialled, echo, get, type RunningServer, startServer } from '../test-peers/server-rig.ts';
import type { HttpServer } from './http-server.ts';
import type { ServerExchange } from './server-exchange.ts';
import type { HttpServerLimits } from './server-limits.ts';

let clock: TurnableClock;
const servers: HttpServer[] = [];

beforeEach(() => {
  clock = new TurnableClock();
});

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
  expect(clock.pending).toBe(0);
});

async function running(
  limits?: Partial<HttpServerLimits>,
  handle?: (exchange: ServerExchange) => void,
): Promise<RunningServer> {
  const started = await startServer(clock, limits, handle);
  servers.push(started.server);
  return started;
}

describe('requests on one connection', () => {
  it('are answered one after another, in order, and the connection stays', async () => {
    const { port, exchanges } = await running();
    const peer = await dialled(port, get('/1') + get('/2') + get('/3'));
    for (let at = 0; at < 3; at++) {
      await turnsUntil(() => exchanges.length === at + 1);
      await turns();
      expect(exchanges).toHaveLength(at + 1);
      exchanges[at]?.reply(200, {}, `answer${at}`);
      await peer.until(`answer${at}`);
    }
    expect(peer.ended).toBe(false);
    expect(peer.received).not.toContain('Connection:');
  });

  it('are all answered when the client closed its side behind them', async () => {
    const { port, exchange } = await running();
    const peer = await dialRaw(port, true);
    peer.socket.end(get('/1') + get('/2') + get('/3'));
    for (let at = 0; at < 3; at++) {
      const next = await exchange(at);
      await turns();
      echo(next);
    }
    const received = await peer.untilEnded();
    expect(received.match(/HTTP\/1.1 200/g)).toHaveLength(3);
    expect(received.match(/Connection: close/g)).toHaveLength(1);
    expect(received.endsWith('/3')).toBe(true);
  });

  it('end with a fault for one cut short by a half-close', async () => {
    const { port } = await running({}, (exchange) => setImmediate(() => echo(exchange)));
    const peer = await dialRaw(port, true);
    peer.socket.end(`${get('/1')}GET /2 HT`);
    const received = await peer.untilEnded();
    expect(received.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 400']);
  });

  it('close it where the client asks for that or speaks HTTP/1.0', async () => {
    const { port } = await running({}, echo);
    for (const text of [get('/', 'Connection: close\r\n'), 'GET / HTTP/1.0\r\n\r\n']) {
      const peer = await dialled(port, text + get('/second'));
      expect(await peer.untilEnded()).toContain('Connection: close\r\n');
      expect(peer.received).not.toContain('second');
    }
  });

  it('have no body in answers to HEAD and with 204 and 304', async () => {
    const { port } = await running({}, (exchange) => {
      const status = Number(exchange.head.target.slice(1));
      exchange.sendHead(status, '', lengthFraming(4));
      exchange.end(Buffer.from('body'));
    });
    const peer = await dialled(
      port,
      `HEAD /200 HTTP/1.1\r\nHost: a\r\n\r\n${get('/204')}${get('/304')}${get('/200')}`,
    );
    const received = await peer.until('body');
    expect(received.match(/body/g)).toHaveLength(1);
    expect(received.match(/Content-Length: 4/g)).toHaveLength(2);
  });
});

describe('a request with a body', () => {
  const post = (lines: string, body = ''): string =>
    `POST / HTTP/1.1\r\nHost: a\r\n${lines}\r\n${body}`;

  it('is asked for it once it is wanted', async () => {
    const { port, exchange } = await running();
    const peer = await dialled(port, post('Content-Length: 2\r\nExpect: 100-continue\r\n'));
    const waiting = await exchange(0);
    await turns();
    expect(peer.received).toBe('');
    const body = waiting.readBody(10);
    await peer.until('HTTP/1.1 100 Continue\r\n\r\n');
    peer.send('ok');
    expect((await body).toString()).toBe('ok');
    waiting.reply(200, {}, 'done');
    await peer.until('done');
    expect(peer.received).not.toContain('close');
  });

  it('answered without it is not asked for it, and the connection ends', async () => {
    const { port } = await running({}, (exchange) => exchange.reply(413));
    const peer = await dialled(port, post('Content-Length: 2\r\nExpect: 100-continue\r\n'));
    const received = await peer.untilEnded();
    expect(received).not.toContain('100 Continue');
    expect(received).toContain('Connection: close');
  });

  it('answered early keeps the connection when the rest is small', async () => {
    const { port } = await running({}, echo);
    const peer = await dialled(port, post('Content-Length: 4\r\n', 'ab'));
    await peer.until('\r\n\r\n/');
    peer.send(`cd${get('/next')}`);
    await peer.until('/next');
  });

  it('answered early ends the connection when the rest is large, and the answer arrives', async () => {
    const { port } = await running({}, (exchange) => exchange.reply(200, {}, 'early'));
    const peer = await dialled(port, post('Content-Length: 900000\r\n', 'x'.repeat(400_000)));
    expect(await peer.untilEnded()).toContain('early');
    expect(peer.received).toContain('Connection: close');
  });

  it('larger than allowed is refused and told', async () => {
    const { port } = await running({}, (exchange) => {
      exchange.readBody(3).catch((error) => exchange.reply(error.status));
    });
    const peer = await dialled(port, post('Content-Length: 100000\r\n', 'x'.repeat(1000)));
    expect(await peer.untilEnded()).toContain('HTTP/1.1 413');
  });

  it('that nobody reads is held up to a bound', async () => {
    const { port, exchange } = await running();
    const peer = await dialled(port, post('Content-Length: 9000000\r\n', 'x'.repeat(9_000_000)));
    await exchange(0);
    await turns(100);
    expect(peer.socket.writableLength).toBeGreaterThan(0);
  });
});

describe('a client that goes away', () => {
  it('is noticed while its request is being answered', async () => {
    const { port, exchange, aborts } = await running();
    const peer = await dialled(port, get('/'));
    const waiting = await exchange(0);
    const { signal } = waiting;
    peer.socket.resetAndDestroy();
    await turnsUntil(() => aborts.length > 0);
    expect(signal.aborted).toBe(true);
    expect(waiting.ended).toBe(true);
    waiting.reply(200);
    expect(aborts).toHaveLength(1);
  });

  it('is noticed while its body is not being read', async () => {
    const { port, exchange, aborts } = await running();
    const peer = await dialled(port, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc');
    await exchange(0);
    peer.socket.resetAndDestroy();
    await turnsUntil(() => aborts.length > 0);
  });

  it('lets a waiting writer go on, as does giving up on it', async () => {
    const { port, exchange } = await running();
    for (const giveUp of [true, false]) {
      const peer = await dialled(port, get('/'));
      peer.socket.pause();
      const waiting = await exchange(giveUp ? 0 : 1);
      waiting.startStream(200);
      waiting.write(Buffer.alloc(30_000_000));
      const drained = waiting.drained();
      if (giveUp) waiting.destroy();
      else peer.socket.resetAndDestroy();
      await drained;
      expect(waiting.ended).toBe(true);
      peer.socket.destroy();
    }
  });
});

describe('a slow client', () => {
  it('with its head is told 408', async () => {
    const { port, server } = await running();
    const peer = await dialled(port, 'GET / HT');
    await turnsUntil(() => server.busyConnections === 1);
    await clock.advance(9_900);
    expect(peer.received).toBe('');
    await clock.advance(400);
    expect(await peer.untilEnded()).toContain('HTTP/1.1 408');
  });

  it('gains no time by sending its head byte by byte', async () => {
    const { port, server } = await running();
    const peer = await dialled(port, 'G');
    await turnsUntil(() => server.busyConnections === 1);
    for (let second = 0; second < 11 && !peer.ended; second++) {
      peer.send('E');
      await turns(5);
      await clock.advance(1_000);
    }
    expect(await peer.untilEnded()).toContain('HTTP/1.1 408');
  });

  it('with its body is told 408, but not one that keeps to the rate', async () => {
    const { port, exchange, aborts } = await running();
    const peer = await dialled(port, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n');
    const reading = await exchange(0);
    let bytes = 0;
    reading.handler = {
      onBodyData: (piece) => {
        bytes += piece.length;
      },
      onBodyEnd: () => undefined,
      onAbort: (reason) => void aborts.push(reason.message),
      onDrain: () => undefined,
    };
    reading.resume();
    for (let window = 1; window <= 3; window++) {
      peer.send('x'.repeat(1_000));
      await turnsUntil(() => bytes === window * 1_000);
      await clock.advance(10_000);
    }
    expect(aborts).toEqual([]);
    peer.send('x');
    await turnsUntil(() => bytes === 3_001);
    await clock.advance(21_000);
    expect(await peer.untilEnded()).toContain('HTTP/1.1 408');
    expect(aborts).toHaveLength(1);
  });

  it('that sends nothing between requests is closed after the idle time', async () => {
    const { port } = await running({}, echo);
    const peer = await dialled(port, get('/'));
    await peer.until('/');
    await clock.advance(59_000);
    expect(peer.ended).toBe(false);
    await clock.advance(1_500);
    await peer.untilEnded();
  });

  it('that takes nothing is cut off, and meanwhile costs bounded memory', async () => {
    const { port, aborts } = await running({}, (exchange) => {
      async function* endless(): AsyncGenerator<Buffer> {
        for (;;) yield Buffer.alloc(65_536);
      }
      void exchange.stream(200, {}, endless());
    });
    const peer = await dialRaw(port);
    peer.socket.pause();
    peer.send(get('/'));
    const before = process.memoryUsage().arrayBuffers;
    await turns(200);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16_000_000);
    await clock.advance(31_000);
    await turnsUntil(() => aborts.length === 1);
  });

  it('that takes one large answer bit by bit gets the whole of it', async () => {
    const size = 30_000_000;
    const { port, exchange, aborts } = await running();
    const peer = await dialRaw(port);
    peer.socket.pause();
    peer.send(get('/', 'Connection: close\r\n'));
    (await exchange(0)).reply(200, {}, Buffer.alloc(size, 'x'));
    for (let window = 0; window < 4; window++) {
      const taken = peer.received.length + 2_000_000;
      peer.socket.resume();
      await turnsUntil(() => peer.received.length >= taken);
      peer.socket.pause();
      await turns(20);
      await clock.advance(29_000);
      await turns(5);
    }
    peer.socket.resume();
    expect((await peer.untilEnded()).length).toBeGreaterThan(size);
    expect(aborts).toEqual([]);
  });
});

describe('connections beyond a cap', () => {
  it.each([{ maxConnections: 2 }, { maxConnectionsPerIp: 2 }])(
    'are told 503 and closed (%j), until others end',
    async (limits) => {
      const { port, server } = await running(limits, echo);
      const first = await dialled(port, get('/1'));
      const second = await dialled(port, get('/2'));
      await Promise.all([first.until('/1'), second.until('/2')]);
      const third = await dialRaw(port);
      expect(await third.untilEnded()).toContain('HTTP/1.1 503');
      first.socket.resetAndDestroy();
      await turnsUntil(() => server.connections === 1);
      const fourth = await dialled(port, get('/4'));
      await fourth.until('/4');
    },
  );
});

describe('a drain', () => {
  it('closes idle connections at once and lets exchanges finish', async () => {
    const { port, server, exchange } = await running();
    const idle = await dialled(port, get('/idle'));
    (await exchange(0)).reply(200, {}, 'one');
    await idle.until('one');
    const busy = await dialled(port, get('/busy'));
    const waiting = await exchange(1);
    let drained = false;
    const draining = server.drain(10_000).then(() => {
      drained = true;
    });
    await idle.untilEnded();
    await turns();
    expect(drained).toBe(false);
    await expect(dialRaw(port)).rejects.toThrow();
    waiting.reply(200, {}, 'finished');
    expect(await busy.untilEnded()).toContain('Connection: close');
    expect(busy.received).toContain('finished');
    await draining;
    expect(server.connections).toBe(0);
  });

  it('cuts what is left at its limit', async () => {
    const { port, server, exchange, aborts } = await running();
    const peer = await dialled(port, get('/'));
    await exchange(0);
    const draining = server.drain(5_000);
    await clock.advance(4_900);
    expect(aborts).toEqual([]);
    await clock.advance(200);
    await draining;
    expect(aborts).toHaveLength(1);
    await peer.untilClosed();
  });
});
