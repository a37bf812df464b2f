import { connect as connectTls } from 'node:tls';
import { NO_LOGGER } from '@portolan/core';
import { TurnableClock } from '@portolan/testing';
import { TestAuthority } from '@portolan/testing/certificates/test-authority';
import { afterEach, describe, expect, it } from 'vitest';
import { dialHttp2, frame, GET_BLOCK, OPENING } from '../test-peers/http2-client.ts';
import { dialRaw, type RawPeer, turnsUntil } from '../test-peers/raw-peer.ts';
import { TimerWheel } from '../time/timer-wheel.ts';
import { createHttpServer, type HttpServer } from './http-server.ts';
import type { ServerExchange } from './server-exchange.ts';
import { createTlsListener } from './tls-listener.ts';

const HEADER = 'PROXY TCP4 192.0.2.7 192.0.2.8 1000 2000\r\n';
const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const SOURCE = '192.0.2.7:1000 192.0.2.8:2000';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Answers with where the connection is said to come from and to go to. */
function tell(exchange: ServerExchange): void {
  const { remoteAddress, remotePort, localAddress, localPort } = exchange;
  exchange.reply(200, {}, `${remoteAddress}:${remotePort} ${localAddress}:${localPort}`);
}

async function behindProxy(isProxy: (address: string) => boolean = () => true) {
  const clock = new TurnableClock();
  const server: HttpServer = createHttpServer(
    { http2: true, isProxy, onExchange: tell },
    { clock },
  );
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  closers.push(() => server.close());
  return { clock, server, port };
}

async function dialled(port: number): Promise<RawPeer> {
  const peer = await dialRaw(port);
  closers.push(() => peer.socket.destroy());
  return peer;
}

describe('a connection behind a proxy', () => {
  it('comes from whom the header names, however its bytes are cut', async () => {
    const { port } = await behindProxy();
    for (const cut of [0, 1, 5, HEADER.length - 1, HEADER.length, HEADER.length + 3]) {
      const peer = await dialled(port);
      const text = HEADER + REQUEST;
      await peer.sendPieces([text.slice(0, cut), text.slice(cut)].filter((piece) => piece !== ''));
      expect(await peer.untilEnded()).toContain(SOURCE);
    }
  });

  it('goes on after its first request', async () => {
    const { port } = await behindProxy();
    const peer = await dialled(port);
    peer.send(`${HEADER}GET /1 HTTP/1.1\r\nHost: a\r\n\r\n`);
    await peer.until(SOURCE);
    peer.send(REQUEST);
    const text = await peer.untilEnded();
    expect(text.split(SOURCE)).toHaveLength(3);
  });

  it('of which the header says nothing keeps its own address', async () => {
    const { port } = await behindProxy();
    const peer = await dialled(port);
    peer.send(`PROXY UNKNOWN\r\n${REQUEST}`);
    expect(await peer.untilEnded()).toContain('127.0.0.1:');
  });

  it('may be HTTP/2', async () => {
    const { port, server } = await behindProxy();
    const peer = await dialled(port);
    peer.send(HEADER);
    peer.sendBytes(Buffer.concat([OPENING, frame(1, 5, 1, GET_BLOCK)]));
    await peer.until(SOURCE);
    expect(server.connections).toBe(1);
  });

  it.each([
    ['opens without the header', () => true, REQUEST],
    ['opens with a broken one', () => true, `PROXY TCP4 1.2.3 192.0.2.8 1000 2000\r\n${REQUEST}`],
    ['does not come from the proxy', () => false, HEADER + REQUEST],
  ])('is cut off when it %s', async (_what, isProxy, text) => {
    const { port, server } = await behindProxy(isProxy);
    const peer = await dialled(port);
    peer.send(text);
    await peer.untilClosed();
    expect(peer.received).toBe('');
    expect(server.connections).toBe(0);
  });

  it('that does not send its header in time, or is there when the server closes, is cut off', async () => {
    const { port, clock, server } = await behindProxy();
    const slow = await dialled(port);
    slow.send('PROXY ');
    await new Promise((resolve) => setTimeout(resolve, 20));
    await clock.advance(6_000);
    await slow.untilClosed();
    const late = await dialled(port);
    late.send('PROXY ');
    await new Promise((resolve) => setTimeout(resolve, 20));
    await server.close();
    await late.untilClosed();
  });

  it('is told apart from a client’s that speaks HTTP/2 without a header', async () => {
    const { port } = await behindProxy();
    const session = dialHttp2(port);
    closers.push(() => session.destroy());
    await new Promise((resolve) => session.on('close', resolve));
  });

  it('over TLS has its header ahead of the handshake', async () => {
    const authority = await TestAuthority.create();
    const certificate = await authority.issue({ names: ['a.example'] });
    const clock = new TurnableClock();
    const server = createHttpServer({ onExchange: tell }, { clock });
    const listener = createTlsListener(
      {
        certificates: [certificate],
        clientAuth: 'none',
        http2: true,
        maxConnections: 10,
        handshakeTimeoutMs: 5_000,
        isProxy: () => true,
      },
      {
        logger: NO_LOGGER,
        wheel: new TimerWheel(clock),
        onConnection: (socket, facts, source) => server.accept(socket, facts, source),
      },
    );
    const { port } = await listener.listen({ host: '127.0.0.1', port: 0 });
    closers.push(
      () => server.close(),
      () => listener.close(),
    );
    const ask = async (header: string): Promise<string> => {
      const raw = await dialled(port);
      raw.socket.removeAllListeners('data');
      raw.send(header);
      const secure = connectTls({
        socket: raw.socket,
        ca: authority.certPem,
        servername: 'a.example',
      });
      return new Promise((resolve) => {
        let text = '';
        secure.on('data', (piece: Buffer) => {
          text += piece.toString();
        });
        secure.on('error', () => resolve('refused'));
        secure.on('close', () => resolve(text === '' ? 'refused' : text));
        secure.write(REQUEST);
      });
    };
    expect(await ask(HEADER)).toContain(SOURCE);
    expect(await ask('')).toBe('refused');
    await turnsUntil(() => server.connections === 0);
  });
});
