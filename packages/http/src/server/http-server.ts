import type { AddressInfo, Socket } from 'node:net';
import type { Clock, Logger } from '@portolan/core';
import { NO_LOGGER } from '@portolan/core';
import { fieldLines } from '../message/head-text.ts';
import {
  createProxiedOpenings,
  type IsProxy,
  type ProxiedOpenings,
} from '../opening/proxied-opening.ts';
import type { ProxiedSource } from '../opening/proxy-protocol.ts';
import { HttpProtocolError } from '../protocol/protocol-error.ts';
import { TimerWheel } from '../time/timer-wheel.ts';
import { adoptAccepted } from '../transport/socket-reader.ts';
import { closingReply } from './closing-reply.ts';
import type { ConnectionFacts, TlsFacts } from './connection-facts.ts';
import type { ConnectionOwner, OwnedConnection, Reply } from './connection-owner.ts';
import { Http2ServerConnection } from './http2/http2-server-connection.ts';
import { ServerConnection } from './server-connection.ts';
import type { ServerExchange } from './server-exchange.ts';
import { DEFAULT_SERVER_LIMITS, type HttpServerLimits } from './server-limits.ts';
import { type ListenTarget, SharedListeners } from './shared-listeners.ts';

/** The body of a reply to a fault, in the words of whoever owns the listener. */
export interface FaultReply {
  /** Flat list of names and values, without framing and connection fields. */
  readonly headers: readonly string[];
  readonly body: string;
}

export interface HttpServerOptions {
  readonly limits?: Partial<HttpServerLimits>;
  /** Whether plain connections may be HTTP/2 by prior knowledge. Default no; over TLS the listener's ALPN decides. */
  readonly http2?: boolean;
  /** The proxies that may connect and have to open with a PROXY header; absent: none is taken. Connections handed to `accept` are not asked. */
  readonly isProxy?: IsProxy;
  /** Listening sockets at the address. Each takes one connection a turn of the event loop. Default 1. */
  readonly listeners?: number;
  /** Called with each request once its head is complete. What it throws becomes a 500. */
  onExchange(exchange: ServerExchange): void;
  /** Default: plain text with the error's code. */
  renderFault?(error: HttpProtocolError): FaultReply;
  /** Called for each fault and each refused connection, for counting. */
  onFault?(error: HttpProtocolError): void;
}

export interface HttpServerDeps {
  readonly clock: Clock;
  readonly logger?: Logger;
  /** Shared with pools, when given; not closed by the server then. */
  readonly wheel?: TimerWheel;
}

/** A listener and its connections. */
export interface HttpServer {
  /** Resolves once it listens, with the port it got; rejects when it cannot. */
  listen(address: ListenTarget): Promise<AddressInfo>;
  /** Takes a connection made elsewhere, such as a TLS socket after its handshake; it has to allow half-open. `source` is whom a PROXY header named. */
  accept(socket: Socket, tls?: TlsFacts, source?: ProxiedSource): void;
  readonly connections: number;
  /** Exchanges and heads under way, and upgraded connections. */
  readonly busyConnections: number;
  /** Stops accepting, closes idle connections at once and the others after their exchange; cuts what is left then. */
  drain(timeoutMs: number): Promise<void>;
  /** Stops accepting and cuts every connection. */
  close(): Promise<void>;
}

export function createHttpServer(options: HttpServerOptions, deps: HttpServerDeps): HttpServer {
  return new SocketServer(options, deps);
}

class SocketServer implements HttpServer, ConnectionOwner {
  readonly limits: HttpServerLimits;
  readonly wheel: TimerWheel;
  draining = false;
  readonly http2: boolean;
  readonly #options: HttpServerOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #ownsWheel: boolean;
  readonly #listeners: SharedListeners;
  readonly #connections = new Set<OwnedConnection>();
  readonly #perIp = new Map<string, number>();
  readonly #openings: ProxiedOpenings | undefined;
  readonly #emptyWaiters: (() => void)[] = [];
  #dateSecond = -1;
  #dateLine = '';

  constructor(options: HttpServerOptions, deps: HttpServerDeps) {
    this.#options = options;
    this.http2 = options.http2 ?? false;
    this.limits = { ...DEFAULT_SERVER_LIMITS, ...options.limits };
    this.#clock = deps.clock;
    this.#logger = deps.logger ?? NO_LOGGER;
    this.#ownsWheel = deps.wheel === undefined;
    this.wheel = deps.wheel ?? new TimerWheel(deps.clock);
    this.#openings = options.isProxy && createProxiedOpenings(options.isProxy, this.wheel);
    this.#listeners = new SharedListeners({
      count: options.listeners ?? 1,
      onAccepted: (accepted) => this.#onAccepted(adoptAccepted(accepted)),
      onError: (error) => this.#logger.error({ err: error }, 'The listener failed'),
    });
  }

  get connections(): number {
    return this.#connections.size;
  }

  get busyConnections(): number {
    let busy = 0;
    for (const connection of this.#connections) if (connection.busy) busy++;
    return busy;
  }

  listen(address: ListenTarget): Promise<AddressInfo> {
    return this.#listeners.listen(address);
  }

  #onAccepted(socket: Socket): void {
    if (this.#openings === undefined) this.accept(socket);
    else if (this.#openings.waiting >= this.limits.maxConnections) socket.destroy();
    else {
      this.#openings.read(socket, (opened, source, rest) => {
        const connection = this.accept(opened, undefined, source);
        connection?.takePiece(rest);
        // As HTTP/2 it is read by another owner, who sees to it.
        if (connection !== undefined && this.#connections.has(connection)) opened.resume();
      });
    }
  }

  accept(socket: Socket, tls?: TlsFacts, source?: ProxiedSource): ServerConnection | undefined {
    const ip = source?.sourceAddress ?? socket.remoteAddress;
    // Gone between accept and here.
    if (ip === undefined) {
      socket.destroy();
      return undefined;
    }
    const fromIp = this.#perIp.get(ip) ?? 0;
    const full =
      this.#connections.size >= this.limits.maxConnections ||
      fromIp >= this.limits.maxConnectionsPerIp;
    if (full || this.draining) {
      socket.on('error', () => socket.destroy());
      const reply = this.fault(new HttpProtocolError('TOO_MANY_CONNECTIONS'));
      // An HTTP/2 client sees that it was not spoken to in its protocol, and the connection's end.
      socket.end(closingReply(reply), 'latin1');
      socket.destroySoon();
      return undefined;
    }
    this.#perIp.set(ip, fromIp + 1);
    const facts = {
      remoteAddress: ip,
      remotePort: source?.sourcePort ?? socket.remotePort ?? 0,
      localAddress: source?.destinationAddress ?? socket.localAddress ?? '',
      localPort: source?.destinationPort ?? socket.localPort ?? 0,
      tls,
    };
    if (tls?.protocol === 'h2') {
      this.#connections.add(new Http2ServerConnection(socket, this, facts));
      return undefined;
    }
    const connection = new ServerConnection(socket, this, facts);
    this.#connections.add(connection);
    return connection;
  }

  speaksHttp2(connection: OwnedConnection, socket: Socket, facts: ConnectionFacts): void {
    this.#connections.delete(connection);
    this.#connections.add(new Http2ServerConnection(socket, this, facts));
  }

  now(): number {
    return this.#clock.now();
  }

  begin(exchange: ServerExchange): void {
    try {
      this.#options.onExchange(exchange);
    } catch (error) {
      this.failed(error, exchange);
      if (exchange.status === 0) exchange.reply(500, { 'Content-Type': 'text/plain' });
      else exchange.destroy();
    }
  }

  failed(error: unknown, exchange: ServerExchange | undefined): void {
    this.#logger.error({ err: error, target: exchange?.head.target }, 'A handler failed');
  }

  fault(error: HttpProtocolError): Reply {
    this.#options.onFault?.(error);
    const reply = this.#options.renderFault?.(error) ?? {
      headers: ['Content-Type', 'text/plain; charset=utf-8'],
      body: `${error.code}: ${error.message}\n`,
    };
    const lines = fieldLines(reply.headers) + this.dateLine();
    return { status: error.status, lines, body: Buffer.from(reply.body, 'utf8') };
  }

  dateLine(): string {
    const second = Math.floor(this.#clock.wallNow() / 1000);
    if (second !== this.#dateSecond) {
      this.#dateSecond = second;
      this.#dateLine = `Date: ${new Date(second * 1000).toUTCString()}\r\n`;
    }
    return this.#dateLine;
  }

  closed(connection: OwnedConnection): void {
    if (!this.#connections.delete(connection)) return;
    const ip = connection.remoteAddress;
    const left = (this.#perIp.get(ip) ?? 1) - 1;
    if (left > 0) this.#perIp.set(ip, left);
    else this.#perIp.delete(ip);
    if (this.#connections.size === 0) for (const wake of this.#emptyWaiters.splice(0)) wake();
  }

  async drain(timeoutMs: number): Promise<void> {
    this.draining = true;
    this.#stopListening();
    for (const connection of this.#connections) connection.drain();
    if (this.#connections.size > 0) {
      const cut = this.#clock.setTimer(timeoutMs, () => this.#cutAll());
      await this.#whenEmpty();
      cut.cancel();
    }
    if (this.#ownsWheel) this.wheel.close();
  }

  async close(): Promise<void> {
    this.draining = true;
    this.#stopListening();
    this.#cutAll();
    await this.#whenEmpty();
    if (this.#ownsWheel) this.wheel.close();
  }

  #stopListening(): void {
    this.#openings?.close();
    this.#listeners.close();
  }

  #cutAll(): void {
    for (const connection of this.#connections) connection.abort(new Error('The server closed'));
  }

  #whenEmpty(): Promise<void> {
    if (this.#connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#emptyWaiters.push(resolve));
  }
}
