import { createSecureServer, type Http2SecureServer } from 'node:http2';
import { createServer as createHttpsServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { TurnableClock } from '@portolan/testing';
import { TestAuthority, type TestCertificate } from '@portolan/testing/certificates/test-authority';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RecordedAttempt } from '../test-peers/recorded-attempt.ts';
import { ConnectionPool } from './connection-pool.ts';
import { createUpstreamTransport, type UpstreamTransportOptions } from './upstream-transport.ts';

let authority: TestAuthority;
let strangers: TestAuthority;
let certificate: TestCertificate;
let pool: ConnectionPool;
const servers: (Server | Http2SecureServer)[] = [];
const sockets = new Set<TLSSocket>();

beforeAll(async () => {
  authority = await TestAuthority.create();
  strangers = await TestAuthority.create('Strangers');
  certificate = await authority.issue({ names: ['upstream.example', '127.0.0.1'] });
});

beforeEach(() => {
  pool = new ConnectionPool({}, { clock: new TurnableClock() });
});

afterEach(() => {
  pool.close();
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  for (const server of servers.splice(0)) server.close();
});

async function listen(server: Server | Http2SecureServer): Promise<number> {
  servers.push(server);
  server.on('secureConnection', (socket: TLSSocket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** Answers with the protocol spoken, the name asked for, and who the client showed to be. */
function tell(socket: TLSSocket, version: string): string {
  const client = socket.getPeerCertificate().subject?.CN ?? '-';
  return `${version} ${String(socket.servername)} ${client}`;
}

const keyOf = ({ certPem, keyPem }: TestCertificate) => ({ cert: certPem, key: keyPem });

function anHttp2Server(options: object = {}): Promise<number> {
  const server = createSecureServer({ ...keyOf(certificate), ...options });
  server.on('request', (request, response) => {
    response.end(tell(request.stream.session?.socket as TLSSocket, request.httpVersion));
  });
  return listen(server);
}

function anHttp1Server(options: object = {}): Promise<number> {
  const server = createHttpsServer({ ...keyOf(certificate), ...options }, (request, response) => {
    response.end(tell(request.socket as TLSSocket, request.httpVersion));
  });
  return listen(server);
}

function ask(port: number, options: UpstreamTransportOptions = {}): RecordedAttempt {
  const tls = { caPem: authority.certPem, serverName: 'upstream.example', ...options.tls };
  const transport = createUpstreamTransport({ ...options, tls });
  return new RecordedAttempt(pool, port, { transport });
}

describe('an upstream behind TLS', () => {
  it('is spoken to by the protocol it agrees on, HTTP/2 preferred', async () => {
    const newer = ask(await anHttp2Server(), { protocol: 'auto' });
    expect(await newer.outcome).toBe('end');
    expect(newer.body).toBe('2.0 upstream.example -');
    const older = ask(await anHttp1Server(), { protocol: 'auto' });
    expect(await older.outcome).toBe('end');
    expect(older.body).toBe('1.1 upstream.example -');
  });

  it('is asked by one connection what it speaks, and then by as many as that takes', async () => {
    const [h2, h1] = await Promise.all([anHttp2Server(), anHttp1Server()]);
    const newer = Array.from({ length: 5 }, () => ask(h2, { protocol: 'auto' }));
    for (const attempt of newer) expect(await attempt.outcome).toBe('end');
    expect(sockets.size).toBe(1);
    const older = Array.from({ length: 5 }, () => ask(h1, { protocol: 'auto' }));
    for (const attempt of older) expect(await attempt.outcome).toBe('end');
  });

  it('that does not speak HTTP/2 gets nothing where only that will do', async () => {
    const attempt = ask(await anHttp1Server(), { protocol: 'h2' });
    expect(await attempt.outcome).toBe('TLS_FAILED');
    expect(attempt.exchange.requestStarted).toBe(false);
  });

  it.each<readonly [string, (port: number) => RecordedAttempt]>([
    ['by another authority', (port) => ask(port, { tls: { caPem: strangers.certPem } })],
    ['by an authority the system does not know', (port) => unknown(port)],
    ['for another name', (port) => ask(port, { tls: { serverName: 'other.example' } })],
  ])('with a certificate %s is not trusted, and gets nothing', async (_what, attempt) => {
    let requests = 0;
    const server = createHttpsServer(keyOf(certificate), () => requests++);
    const made = attempt(await listen(server));
    expect(await made.outcome).toBe('TLS_FAILED');
    expect(requests).toBe(0);
  });

  it('with a certificate that is over is not trusted', async () => {
    const old = await authority.issue({
      names: ['upstream.example'],
      notAfter: new Date('2021-01-01T00:00:00Z'),
    });
    expect(await ask(await anHttp1Server(keyOf(old))).outcome).toBe('TLS_FAILED');
  });

  it('is taken as it is where nobody wants to verify it', async () => {
    const attempt = ask(await anHttp1Server(), {
      tls: { caPem: strangers.certPem, serverName: 'other.example', verify: false },
    });
    expect(await attempt.outcome).toBe('end');
  });

  it('that is known by its address alone has to name that address', async () => {
    const port = await anHttp2Server();
    const transport = createUpstreamTransport({
      protocol: 'h2',
      tls: { caPem: authority.certPem },
    });
    const named = new RecordedAttempt(pool, port, { transport });
    expect(await named.outcome).toBe('end');
    expect(named.body).toBe('2.0 false -');
    const nameless = keyOf(await authority.issue({ names: ['upstream.example'] }));
    const other = new RecordedAttempt(pool, await anHttp2Server(nameless), { transport });
    expect(await other.outcome).toBe('TLS_FAILED');
  });

  it('that wants to know who asks is shown our certificate', async () => {
    const own = await authority.issue({ names: ['gateway.example'] });
    const wanted = { requestCert: true, rejectUnauthorized: true, ca: authority.certPem };
    const port = await anHttp2Server(wanted);
    const shown = ask(port, { protocol: 'h2', tls: { certPem: own.certPem, keyPem: own.keyPem } });
    expect(await shown.outcome).toBe('end');
    expect(shown.body).toBe('2.0 upstream.example gateway.example');
    expect(await ask(port, { protocol: 'h2' }).outcome).toBe('TLS_FAILED');
  });
});

function unknown(port: number): RecordedAttempt {
  const transport = createUpstreamTransport({ tls: { serverName: 'upstream.example' } });
  return new RecordedAttempt(pool, port, { transport });
}
