import { createPrivateKey, X509Certificate } from 'node:crypto';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { createSecureContext, createServer, type SecureContext, type TLSSocket } from 'node:tls';
import type { Logger } from '@portolan/core';
import { createProxiedOpenings, type IsProxy } from '../opening/proxied-opening.ts';
import type { ProxiedSource } from '../opening/proxy-protocol.ts';
import type { TimerWheel } from '../time/timer-wheel.ts';
import type { TlsFacts } from './connection-facts.ts';
import type { ListenTarget } from './shared-listeners.ts';

export interface TlsListenerOptions {
  /** The server name chooses the first that is valid for it; without one, or with none that is, the first of all. */
  readonly certificates: readonly { readonly certPem: string; readonly keyPem: string }[];
  /** Authorities whose certificates clients may show. */
  readonly clientCaPem?: string | undefined;
  /** `optional`: a client may show none, but not one that is not to be trusted. */
  readonly clientAuth: 'none' | 'optional' | 'require';
  /** Default TLSv1.2. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined;
  /** Open connections, those in their handshake included. */
  readonly maxConnections: number;
  /** Whether HTTP/2 is offered, ahead of HTTP/1.1. */
  readonly http2: boolean;
  readonly handshakeTimeoutMs: number;
  /** The proxies that may connect and have to open with a PROXY header; absent: none is taken. */
  readonly isProxy?: IsProxy | undefined;
}

/** Ends TLS, and hands on what is in it. */
export interface TlsListener {
  listen(address: ListenTarget): Promise<AddressInfo>;
  /** Puts other certificates and authorities in force for handshakes from now on. Throws, changing nothing, for what cannot be used. */
  update(options: Pick<TlsListenerOptions, 'certificates' | 'clientCaPem'>): void;
  /** Stops accepting; connections that were handed on are their owner's. */
  close(): void;
}

interface Shown {
  readonly certificate: X509Certificate;
  readonly context: SecureContext;
}

/** Makes a listener that hands on each connection after its handshake. Throws an Error for certificates that cannot be used. */
export function createTlsListener(
  options: TlsListenerOptions,
  deps: {
    readonly logger: Logger;
    readonly wheel: TimerWheel;
    onConnection(socket: TLSSocket, facts: TlsFacts, source: ProxiedSource | undefined): void;
  },
): TlsListener {
  let shown = readCertificates(options, options);

  const server = createServer({
    // Half-open, as the plain listener's connections: a client may close its side behind its request.
    allowHalfOpen: true,
    noDelay: true,
    handshakeTimeout: options.handshakeTimeoutMs,
    requestCert: options.clientAuth !== 'none',
    // What was shown and is not to be trusted is refused below, also where showing one is optional.
    rejectUnauthorized: options.clientAuth === 'require',
    ALPNProtocols: options.http2 ? ['h2', 'http/1.1'] : ['http/1.1'],
    minVersion: options.minVersion ?? 'TLSv1.2',
    SNICallback: (name, choose) => choose(null, shown[indexFor(name)]?.context),
  });
  server.maxConnections = options.maxConnections;
  setDefault();

  function indexFor(serverName: string): number {
    const at = shown.findIndex(
      ({ certificate }) => certificate.checkHost(serverName) !== undefined,
    );
    return Math.max(0, at);
  }

  /** For clients that name no server. */
  function setDefault(next = options): void {
    const [first] = next.certificates;
    if (!first) return;
    server.setSecureContext({
      cert: first.certPem,
      key: first.keyPem,
      minVersion: options.minVersion ?? 'TLSv1.2',
      ...(next.clientCaPem === undefined ? {} : { ca: next.clientCaPem }),
    });
  }

  server.on('secureConnection', (socket: TLSSocket) => {
    const serverName = typeof socket.servername === 'string' ? socket.servername : undefined;
    const client = options.clientAuth === 'none' ? undefined : socket.getPeerX509Certificate();
    if (client !== undefined && !socket.authorized) {
      deps.logger.debug(
        { client: socket.remoteAddress, err: socket.authorizationError },
        'a client showed a certificate that is not to be trusted',
      );
      socket.destroy();
      return;
    }
    const facts: TlsFacts = {
      serverName: serverName?.toLowerCase(),
      protocol: typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : undefined,
      certificate: serverName === undefined ? 0 : indexFor(serverName),
      clientCertificate:
        client === undefined
          ? undefined
          : {
              subject: client.subject.split('\n').join(','),
              fingerprint: client.fingerprint256.replaceAll(':', '').toLowerCase(),
            },
    };
    deps.onConnection(socket, facts, sources.get(peerOf(socket)));
  });
  server.on('tlsClientError', (error, socket) => {
    deps.logger.debug({ client: socket.remoteAddress, err: error }, 'a TLS handshake failed');
    socket.destroy();
  });

  // What a PROXY header said of the connection from that address and port, for as long as it is open.
  const sources = new Map<string, ProxiedSource>();
  const openings = options.isProxy && createProxiedOpenings(options.isProxy, deps.wheel);
  /** In front of TLS, where headers are awaited. */
  const front =
    openings &&
    createTcpServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      if (openings.waiting >= options.maxConnections) socket.destroy();
      else {
        openings.read(socket, (opened, source, rest) => {
          const peer = peerOf(opened);
          if (source !== undefined) sources.set(peer, source);
          opened.once('close', () => sources.delete(peer));
          if (rest.length > 0) opened.unshift(rest);
          server.emit('connection', opened);
        });
      }
    });
  if (front) front.maxConnections = options.maxConnections;
  const listening = front ?? server;

  return {
    listen: (address) =>
      new Promise((resolve, reject) => {
        listening.once('error', reject);
        listening.listen(address, () => {
          listening.off('error', reject);
          listening.on('error', (error) =>
            deps.logger.error({ err: error }, 'The listener failed'),
          );
          const bound = listening.address();
          if (bound === null || typeof bound === 'string') {
            reject(new Error('The listener has no port'));
          } else resolve(bound);
        });
      }),
    update(next) {
      shown = readCertificates(next, options);
      setDefault({ ...options, ...next });
    },
    close() {
      openings?.close();
      if (listening.listening) listening.close();
    },
  };
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** Throws an Error that says which certificate cannot be used, and why. */
function readCertificates(
  options: Pick<TlsListenerOptions, 'certificates' | 'clientCaPem'>,
  { clientAuth, minVersion }: Pick<TlsListenerOptions, 'clientAuth' | 'minVersion'>,
): readonly Shown[] {
  const { certificates, clientCaPem } = options;
  if (certificates.length === 0) throw new Error('no certificate is given');
  // Node takes a text without certificates for an empty list, and would then ask for nothing.
  const hasAuthority = clientCaPem?.includes('-----BEGIN CERTIFICATE-----') === true;
  if (clientAuth !== 'none' && !hasAuthority) {
    throw new Error('the authority for client certificates holds no PEM certificate');
  }
  return certificates.map(({ certPem, keyPem }, at) => {
    try {
      const certificate = new X509Certificate(certPem);
      if (!certificate.checkPrivateKey(createPrivateKey(keyPem))) {
        throw new Error('the key is not that of the certificate');
      }
      const context = createSecureContext({
        cert: certPem,
        key: keyPem,
        minVersion: minVersion ?? 'TLSv1.2',
        ...(clientCaPem === undefined ? {} : { ca: clientCaPem }),
      });
      return { certificate, context };
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`certificate ${at + 1} cannot be used: ${reason}`, { cause });
    }
  });
}
