import { connect as connectTcp, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, type TLSSocket } from 'node:tls';
import { type TimerWheel, WheelTimer } from '../time/timer-wheel.ts';
import { proxyHeader } from './proxy-header.ts';
import { UpstreamError, type UpstreamErrorCode } from './upstream-error.ts';
import type { ProxySource, UpstreamTransport } from './upstream-transport.ts';

/** Where a dial goes. */
export interface DialTarget {
  readonly address: string;
  readonly port: number;
  readonly transport: UpstreamTransport;
  readonly source: ProxySource | undefined;
}

/** What a dial needs of the pool it dials for. */
export interface DialOwner {
  readonly wheel: TimerWheel;
  readonly connectTimeoutMs: number;
  /** The last TLS session of this very target, or undefined. */
  readonly tlsSession: Buffer | undefined;
  dialTcp(address: string, port: number): Socket;
  keepTlsSession(session: Buffer | undefined): void;
  /** The socket is ready for the first byte of that protocol; nobody listens to it any more. */
  onDialled(dial: Dial, socket: Socket, protocol: 'http/1.1' | 'h2'): void;
  onDialFailed(dial: Dial, error: UpstreamError): void;
}

/** A connection being made: TCP, the PROXY header, and TLS, all within one time. */
export class Dial {
  readonly #target: DialTarget;
  readonly #owner: DialOwner;
  readonly #timer: WheelTimer;
  #socket: Socket | undefined;
  #over = false;

  constructor(target: DialTarget, owner: DialOwner) {
    this.#target = target;
    this.#owner = owner;
    this.#timer = new WheelTimer(() =>
      this.#fail('CONNECT_TIMEOUT', 'The upstream did not accept in time'),
    );
  }

  start(): void {
    const { address, port, transport } = this.#target;
    // TLS and HTTP/2 read their sockets by themselves.
    const socket =
      transport.tls === undefined && transport.protocol === 'http/1.1'
        ? this.#owner.dialTcp(address, port)
        : connectTcp({ host: address, port, noDelay: true });
    this.#socket = socket;
    this.#owner.wheel.arm(this.#timer, this.#owner.connectTimeoutMs);
    socket.on('error', this.#onTcpError);
    socket.once('connect', this.#onConnect);
  }

  /** Gives up; nobody is told. */
  cancel(): void {
    this.#over = true;
    this.#owner.wheel.disarm(this.#timer);
    this.#socket?.destroy();
  }

  readonly #onTcpError = (cause: Error): void => {
    this.#fail('CONNECT_FAILED', 'The upstream cannot be reached', cause);
  };

  readonly #onConnect = (): void => {
    const { transport, source } = this.#target;
    const socket = this.#socket;
    if (socket === undefined || this.#over) return;
    if (transport.proxyProtocol !== undefined) {
      socket.write(proxyHeader(transport.proxyProtocol, source));
    }
    if (transport.tls !== undefined) this.#secure(socket);
    else this.#done(socket, transport.protocol === 'h2' ? 'h2' : 'http/1.1');
  };

  #secure(tcp: Socket): void {
    const { address, transport } = this.#target;
    const { tls } = transport;
    if (tls === undefined) return;
    const { tlsSession } = this.#owner;
    const socket = connectTls({
      socket: tcp,
      host: address,
      ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
      secureContext: tls.context,
      rejectUnauthorized: tls.verify,
      checkServerIdentity: (_host, certificate) =>
        checkServerIdentity(tls.serverName ?? address, certificate),
      ALPNProtocols: transport.protocol === 'auto' ? ['h2', 'http/1.1'] : [transport.protocol],
      ...(tlsSession === undefined ? {} : { session: tlsSession }),
    });
    this.#socket = socket;
    tcp.off('error', this.#onTcpError);
    // Told by the TLS socket as well.
    tcp.on('error', () => undefined);
    socket.on('error', this.#onTlsError);
    socket.on('session', (session: Buffer) => this.#owner.keepTlsSession(session));
    socket.once('close', this.#onTlsClose);
    socket.once('secureConnect', () => this.#onSecure(socket));
  }

  readonly #onTlsError = (cause: Error): void => {
    this.#owner.keepTlsSession(undefined);
    this.#fail('TLS_FAILED', `TLS with the upstream failed: ${cause.message}`, cause);
  };

  readonly #onTlsClose = (): void => {
    this.#fail('TLS_FAILED', 'The upstream closed within the TLS handshake');
  };

  #onSecure(socket: TLSSocket): void {
    const { protocol } = this.#target.transport;
    const agreed = socket.alpnProtocol === 'h2' ? 'h2' : 'http/1.1';
    if (protocol === 'h2' && agreed !== 'h2') {
      this.#fail('TLS_FAILED', 'The upstream did not agree on HTTP/2');
      return;
    }
    socket.off('error', this.#onTlsError);
    socket.off('close', this.#onTlsClose);
    this.#done(socket, agreed);
  }

  #done(socket: Socket, protocol: 'http/1.1' | 'h2'): void {
    if (this.#over) return;
    this.#over = true;
    this.#owner.wheel.disarm(this.#timer);
    this.#owner.onDialled(this, socket, protocol);
    socket.off('error', this.#onTcpError);
  }

  #fail(code: UpstreamErrorCode, message: string, cause?: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#owner.wheel.disarm(this.#timer);
    this.#socket?.destroy();
    this.#owner.onDialFailed(this, new UpstreamError(code, message, { cause }));
  }
}
