import { connect, createServer, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { aRawClient, aRawUpstream } from '../test-rig/raw-peer.ts';
import { aGateway, cleanUp, onCleanup } from '../test-rig/running-gateway.ts';
import { anInstance } from '../test-rig/settable-catalogue.ts';
import { compileServerNameRoutes } from './server-name-routes.ts';
import type { TcpListenerOptions } from './tcp-listeners.ts';

afterEach(cleanUp);

const service = (name: string) => ({ namespace: 'default', group: 'default', name });

async function carrying(over: Partial<TcpListenerOptions> = {}) {
  const rig = await aGateway();
  const bound = await rig.gateway.listenTcp(
    { name: 'db', to: service('web'), ...over },
    '127.0.0.1',
    0,
  );
  return { ...rig, tcpPort: bound.port };
}

/** Says its name, then sends back what it gets, and ends when its peer does. */
async function anEcho(name: string): Promise<{ port: number; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.write(`${name}|`);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onCleanup(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as { port: number }).port, sockets };
}

describe('a TCP listener', () => {
  it('carries bytes both ways, and half-closes as its peers do', async () => {
    const echo = await anEcho('a');
    const { catalogue, tcpPort, gateway } = await carrying();
    catalogue.set('web', [anInstance(echo.port)]);
    const client = connect({ port: tcpPort, host: '127.0.0.1', allowHalfOpen: true });
    onCleanup(() => client.destroy());
    let text = '';
    client.on('data', (piece) => {
      text += piece;
    });
    client.end('x'.repeat(300_000));
    await new Promise((resolve) => client.once('end', resolve));
    expect(text).toBe(`a|${'x'.repeat(300_000)}`);
    await new Promise((resolve) => client.once('close', resolve));
    expect(gateway.stats().activeRequests).toBe(0);
  });

  it('spreads connections, and passes over an instance that refuses them', async () => {
    const [a, b] = [await anEcho('a'), await anEcho('b')];
    const { catalogue, tcpPort } = await carrying();
    catalogue.set('web', [anInstance(a.port), anInstance(b.port)]);
    const names = new Set<string>();
    for (let at = 0; at < 4; at++) {
      names.add(await (await aRawClient(tcpPort)).until(/^\w+\|/));
    }
    expect(names).toEqual(new Set(['a|', 'b|']));
    catalogue.set('web', [anInstance(1), anInstance(a.port)]);
    for (let at = 0; at < 4; at++) {
      expect(await (await aRawClient(tcpPort)).until(/^\w+\|/)).toBe('a|');
    }
  });

  it('keeps what is open when instances come and go, and closes a connection that none can take', async () => {
    const a = await anEcho('a');
    const { catalogue, tcpPort } = await carrying();
    catalogue.set('web', [anInstance(a.port)]);
    const client = await aRawClient(tcpPort);
    await client.until(/a\|/);
    catalogue.set('web', []);
    const late = await aRawClient(tcpPort);
    expect(await late.end()).toBe('');
    client.send('still');
    await client.until(/still$/);
  });

  it('tells the instance of the client', async () => {
    const upstream = await aRawUpstream(() => undefined);
    const { catalogue, tcpPort } = await carrying({ sendsProxyProtocol: 1 });
    catalogue.set('web', [anInstance(upstream.port)]);
    const client = await aRawClient(tcpPort);
    client.send('hello');
    while (upstream.peers.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const text = await upstream.peers[0]?.until(/hello$/);
    expect(text).toMatch(/^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+\r\nhello$/);
  });

  it('takes a client from a trusted proxy, and nothing from anybody without the header', async () => {
    const upstream = await aRawUpstream(() => undefined);
    const { catalogue, tcpPort } = await carrying({
      proxyProtocolFrom: ['127.0.0.0/8'],
      sendsProxyProtocol: 1,
    });
    catalogue.set('web', [anInstance(upstream.port)]);
    const client = await aRawClient(tcpPort);
    client.send('PROXY TCP4 192.0.2.7 192.0.2.8 1000 2000\r\nhello');
    while (upstream.peers.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(await upstream.peers[0]?.until(/hello$/)).toBe(
      'PROXY TCP4 192.0.2.7 192.0.2.8 1000 2000\r\nhello',
    );
    const bare = await aRawClient(tcpPort);
    bare.send('hello');
    expect(await bare.end()).toBe('');
    const stranger = await carrying({ proxyProtocolFrom: ['192.0.2.0/24'] });
    const other = await aRawClient(stranger.tcpPort);
    other.send('PROXY TCP4 192.0.2.7 192.0.2.8 1000 2000\r\nhello');
    expect(await other.end()).toBe('');
    expect(upstream.peers).toHaveLength(1);
  });

  it('refuses more connections than it may hold', async () => {
    const a = await anEcho('a');
    const { catalogue, tcpPort } = await carrying({ maxConnections: 1 });
    catalogue.set('web', [anInstance(a.port)]);
    const first = await aRawClient(tcpPort);
    await first.until(/a\|/);
    expect(await (await aRawClient(tcpPort)).end()).toBe('');
  });
});

describe('a TLS passthrough listener', () => {
  it('leads each server name to its service without ending TLS, and says that a name is unknown', async () => {
    const asked: string[] = [];
    const secure = createTlsServer({
      pskCallback: (_socket, identity) => {
        asked.push(identity);
        return Buffer.from('0123456789abcdef');
      },
      ciphers: 'PSK',
      maxVersion: 'TLSv1.2',
    });
    secure.on('secureConnection', (socket) => socket.end('through'));
    secure.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve));
    onCleanup(() => secure.close());
    const { catalogue, tcpPort } = await carrying({
      to: [{ serverNames: ['shop.example', '*.api.example'], service: service('web') }],
    });
    catalogue.set('web', [anInstance((secure.address() as { port: number }).port)]);
    const dial = (servername: string): Promise<string> =>
      new Promise((resolve) => {
        const client = connectTls({
          port: tcpPort,
          host: '127.0.0.1',
          servername,
          ciphers: 'PSK',
          maxVersion: 'TLSv1.2',
          pskCallback: () => ({ psk: Buffer.from('0123456789abcdef'), identity: servername }),
          checkServerIdentity: () => undefined,
        });
        let text = '';
        client.on('data', (piece) => {
          text += piece;
        });
        client.on('end', () => resolve(text));
        client.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
      });
    expect(await dial('shop.example')).toBe('through');
    expect(await dial('x.api.example')).toBe('through');
    expect(asked).toEqual(['shop.example', 'x.api.example']);
    expect(await dial('other.example')).toMatch(/UNRECOGNIZED_NAME/);
  });

  it('closes on what is no TLS', async () => {
    const { tcpPort } = await carrying({ to: [{ serverNames: ['*'], service: service('web') }] });
    const client = await aRawClient(tcpPort);
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await client.end()).toBe('');
  });
});

describe('server name routes', () => {
  it('prefer exact names to suffixes, longer ones to shorter, and those to all', () => {
    const find = compileServerNameRoutes([
      { serverNames: ['*'], service: service('all') },
      { serverNames: ['*.example'], service: service('short') },
      { serverNames: ['*.shop.example'], service: service('long') },
      { serverNames: ['www.shop.example'], service: service('exact') },
    ]);
    expect(
      ['www.shop.example', 'a.shop.example', 'a.b.example', 'example', undefined].map(
        (name) => find(name)?.name,
      ),
    ).toEqual(['exact', 'long', 'short', 'all', 'all']);
  });

  it('refuse a name that leads two ways', () => {
    const twice = { serverNames: ['A.example', 'a.EXAMPLE'], service: service('web') };
    expect(() => compileServerNameRoutes([twice])).toThrow(/a\.EXAMPLE is routed twice/);
  });
});
