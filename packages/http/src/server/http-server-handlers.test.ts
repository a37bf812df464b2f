import { TurnableClock } from '@portolan/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CHUNKED, lengthFraming } from '../message/framing.ts';
import { turns, turnsUntil } from '../test-peers/raw-peer.ts';
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

describe('an upgrade', () => {
  it('hands over the socket with what was read behind the head', async () => {
    const { port, exchange, server } = await running();
    const peer = await dialled(
      port,
      `${get('/', 'Connection: Upgrade\r\nUpgrade: echo\r\n')}early`,
    );
    const upgrading = await exchange(0);
    await turns();
    const taken = upgrading.upgrade('echo', '');
    expect(taken?.surplus.toString()).toBe('early');
    expect(server.connections).toBe(1);
    taken?.socket.write('late');
    await peer.until('\r\n\r\nlate');
    peer.send('more');
    const [piece] = await new Promise<Buffer[]>((resolve) => {
      taken?.socket.once('data', (data) => resolve([data]));
      taken?.socket.resume();
    });
    expect(piece?.toString()).toBe('more');
    taken?.socket.destroy();
    await turnsUntil(() => server.connections === 0);
  });
});

describe('a faulty request', () => {
  it('is answered in the words of the listener, behind the answers before it', async () => {
    const { port, exchange } = await running();
    const peer = await dialled(port, `${get('/1')}GET / HTTP/1.1\r\n\r\n${get('/3')}`);
    (await exchange(0)).reply(200, {}, 'first');
    const received = await peer.untilEnded();
    expect(received).toMatch(/first.*HTTP\/1.1 400.*X-Fault: HOST_MISSING.*HOST_MISSING$/s);
    expect(received).toContain('Connection: close');
  });
});

describe('a handler', () => {
  it('that throws at the request costs its client a 500', async () => {
    const { port } = await running({}, () => {
      throw new Error('broken');
    });
    const peer = await dialled(port, get('/'));
    await peer.until('HTTP/1.1 500');
  });

  it('that throws at a piece of the body costs its own connection only', async () => {
    const { port } = await running({}, (exchange) => {
      if (exchange.head.target === '/fine') return echo(exchange);
      exchange.handler = {
        onBodyData: () => {
          throw new Error('broken');
        },
        onBodyEnd: () => undefined,
        onAbort: () => undefined,
        onDrain: () => undefined,
      };
      exchange.resume();
    });
    const peer = await dialled(port, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab');
    await peer.untilEnded();
    await (await dialled(port, get('/fine'))).until('/fine');
  });

  it.each(['abc', 'abcde'])('whose body %j misses its length is cut off and told', async (body) => {
    const { port, aborts } = await running({}, (exchange) => {
      exchange.sendHead(200, '', lengthFraming(4));
      exchange.end(Buffer.from(body));
    });
    const peer = await dialled(port, get('/'));
    await peer.untilClosed();
    expect(aborts).toHaveLength(1);
    expect(peer.received).not.toContain(body);
  });

  it('sends trailers, and none to clients of HTTP/1.0', async () => {
    const { port } = await running({}, (exchange) => {
      exchange.sendHead(200, '', CHUNKED);
      exchange.end(Buffer.from('abc'), 'X-Sum: 1\r\n');
    });
    const peer = await dialled(port, get('/'));
    await peer.until('\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n');
    const old = await dialled(port, 'GET / HTTP/1.0\r\n\r\n');
    expect((await old.untilEnded()).endsWith('\r\n\r\nabc')).toBe(true);
  });
});
