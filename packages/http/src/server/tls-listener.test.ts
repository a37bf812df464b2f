import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { NO_LOGGER } from '@portolan/core';
import { TurnableClock } from '@portolan/testing';
import { TestAuthority, type TestCertificate } from '@portolan/testing/certificates/test-authority';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TimerWheel } from '../time/timer-wheel.ts';
import { createHttpServer } from './http-server.ts';
import { createTlsListener, type TlsListenerOptions } from './tls-listener.ts';

let authority: TestAuthority;
let stranger: TestAuthority;
let shop: TestCertificate;
let api: TestCertificate;
let client: TestCertificate;
beforeAll(async () => {
  authority = await TestAuthority.create();
  stranger = await TestAuthority.create('Stranger');
  shop = await authority.issue({ names: ['shop.example'] });
  api = await authority.issue({ names: ['*.api.example'] });
  client = await authority.issue({ names: ['alice'] });
});

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A server behind TLS that says what the handshake said. */
async function secured(over: Partial<TlsListenerOptions> = {}) {
  const clock = new TurnableClock();
  const server = createHttpServer(
    {
      onExchange: (exchange) =>
        exchange.reply(
          200,
          {},
          JSON.stringify({
            ...exchange.tls,
            secure: exchange.secure,
          }),
        ),
    },
    { clock },
  );
  const listener = createTlsListener(
    {
      certificates: [shop, api],
      clientAuth: 'none',
      http2: true,
      maxConnections: 100,
      handshakeTimeoutMs: 5_000,
      ...over,
    },
    {
      logger: NO_LOGGER,
      wheel: new TimerWheel(clock),
      onConnection: (socket, facts, source) => server.accept(socket, facts, source),
    },
  );
  const { port } = await listener.listen({ host: '127.0.0.1', port: 0 });
  closers.push(
    () => listener.close(),
    () => server.close(),
  );
  return { port, listener };
}

/** One request; the answer's body, or the error's code. */
function ask(
  port: number,
  options: ConnectionOptions = {},
): Promise<{ body?: Record<string, unknown>; error?: string }> {
  return new Promise((resolve) => {
    const socket: TLSSocket = connect({
      port,
      host: '127.0.0.1',
      ca: authority.certPem,
      servername: 'shop.example',
      ...options,
    });
    let text = '';
    socket.on('secureConnect', () => {
      socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    });
    socket.on('data', (piece) => {
      text += piece;
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve({ error: error.code ?? '' }));
    socket.on('close', () => {
      const body = text.split('\r\n\r\n')[1];
      if (body === undefined) resolve({ error: 'closed' });
      else resolve({ body: JSON.parse(body) });
    });
  });
}

describe('a TLS listener', () => {
  it('shows the certificate of the name that is asked for, and serves HTTP within', async () => {
    const { port } = await secured();
    expect((await ask(port)).body).toEqual({
      serverName: 'shop.example',
      certificate: 0,
      secure: true,
    });
    const wild = await ask(port, { servername: 'v1.api.example' });
    expect(wild.body).toMatchObject({ serverName: 'v1.api.example', certificate: 1 });
    const other = await ask(port, { servername: 'other.example', rejectUnauthorized: false });
    expect(other.body).toMatchObject({ certificate: 0 });
  });

  it('takes other certificates while it runs, and keeps the old ones when the new cannot be used', async () => {
    const { port, listener } = await secured({ certificates: [shop] });
    const renewed = await authority.issue({ names: ['shop.example', 'renewed.example'] });
    listener.update({ certificates: [renewed] });
    expect((await ask(port, { servername: 'renewed.example' })).body).toBeDefined();
    const broken = { certPem: renewed.certPem, keyPem: api.keyPem };
    expect(() => listener.update({ certificates: [broken] })).toThrow(
      /certificate 1 cannot be used: the key is not that of the certificate/,
    );
    expect((await ask(port, { servername: 'renewed.example' })).body).toBeDefined();
  });

  it('lets in only clients with a certificate of its authority where that is required', async () => {
    const { port } = await secured({ clientAuth: 'require', clientCaPem: authority.certPem });
    expect((await ask(port)).body).toBeUndefined();
    const forged = await stranger.issue({ names: ['alice'] });
    expect((await ask(port, { cert: forged.certPem, key: forged.keyPem })).body).toBeUndefined();
    const known = await ask(port, { cert: client.certPem, key: client.keyPem });
    expect(known.body).toMatchObject({ clientCertificate: { subject: 'CN=alice' } });
  });

  it('lets in clients without one where it is optional, but none with one that is not to be trusted', async () => {
    const { port } = await secured({ clientAuth: 'optional', clientCaPem: authority.certPem });
    expect((await ask(port)).body).toMatchObject({ secure: true });
    const forged = await stranger.issue({ names: ['alice'] });
    expect((await ask(port, { cert: forged.certPem, key: forged.keyPem })).body).toBeUndefined();
  });

  it.each(['', 'not a certificate'])('never starts with the authority %j', async (clientCaPem) => {
    await expect(secured({ clientAuth: 'require', clientCaPem })).rejects.toThrow(
      /authority for client certificates/,
    );
  });

  it('refuses versions older than it is told', async () => {
    const { port } = await secured({ minVersion: 'TLSv1.3' });
    expect((await ask(port, { maxVersion: 'TLSv1.2' })).error).toMatch(/ALERT|VERSION/);
    expect((await ask(port)).body).toBeDefined();
  });
});
