import type { Socket } from 'node:net';
import type { Clock } from '@portolan/core';
import { DEFAULT_CHUNKED_LIMITS } from '../message/chunked-decoder.ts';
import { DEFAULT_HEAD_LIMITS } from '../message/request-head.ts';
import { TimerWheel } from '../time/timer-wheel.ts';
import { dialTcp } from '../transport/socket-reader.ts';
import { HostBook } from './host-book.ts';
import { HostPool, type HostPoolOwner, type PoolLimits } from './host-pool.ts';
import { UpstreamExchange, type UpstreamHandler } from './upstream-exchange.ts';
import { PLAIN_HTTP_1, type ProxySource, type UpstreamTransport } from './upstream-transport.ts';

export const DEFAULT_POOL_LIMITS: PoolLimits = {
  ...DEFAULT_HEAD_LIMITS,
  ...DEFAULT_CHUNKED_LIMITS,
  headBytes: 65_536,
  maxInformational: 8,
  idleTimeoutMs: 4_000,
  exchangeIdleTimeoutMs: 60_000,
  maxConnections: 256,
  maxWaiting: 1_024,
  connectTimeoutMs: 2_000,
  queueTimeoutMs: 5_000,
  maxStreams: 256,
  http2IdleTimeoutMs: 60_000,
  pingAfterMs: 30_000,
  pingTimeoutMs: 10_000,
};

export interface ConnectionPoolDeps {
  readonly clock: Clock;
  /** Shared with a server, when given; not closed by the pool then. */
  readonly wheel?: TimerWheel;
  /** Makes the socket of a connection; default a plain TCP dial. */
  readonly dial?: (address: string, port: number) => Socket;
}

/** Connections to upstreams by address and port. */
export class ConnectionPool implements HostPoolOwner {
  readonly limits: PoolLimits;
  readonly wheel: TimerWheel;
  readonly #ownsWheel: boolean;
  readonly #dial: (address: string, port: number) => Socket;
  /** Plain HTTP/1.1, which most upstreams speak. */
  readonly #hosts = new HostBook();
  /** All others, by the transport's key and the PROXY protocol's source. */
  readonly #books = new Map<string, HostBook>();
  /** Forgotten or closed, with exchanges under way: their timers are still needed. */
  readonly #ending = new Set<HostPool>();
  #closed = false;
  // Exchanges on reused connections, waiting for the event loop to look at the sockets again: see `afterPoll`.
  #afterNext: (() => void)[] = [];
  #afterThis: (() => void)[] = [];
  #pollPlanned = false;

  constructor(limits: Partial<PoolLimits>, deps: ConnectionPoolDeps) {
    this.limits = { ...DEFAULT_POOL_LIMITS, ...limits };
    this.#ownsWheel = deps.wheel === undefined;
    this.wheel = deps.wheel ?? new TimerWheel(deps.clock);
    this.#dial = deps.dial ?? dialTcp;
  }

  /**
   * Starts an exchange; its handler hears `onReady` when a connection is there, or `onError`. `source` is told where the
   * transport speaks the PROXY protocol: such connections are kept by client.
   */
  connect(
    address: string,
    port: number,
    handler: UpstreamHandler,
    transport: UpstreamTransport = PLAIN_HTTP_1,
    source?: ProxySource,
  ): UpstreamExchange {
    const exchange = new UpstreamExchange(handler);
    this.host(address, port, transport, source).take(exchange);
    return exchange;
  }

  /** The pool of one upstream; worth keeping by who calls it often, and valid until `forget` or `close`. */
  host(
    address: string,
    port: number,
    transport: UpstreamTransport = PLAIN_HTTP_1,
    source?: ProxySource,
  ): HostPool {
    const book = transport === PLAIN_HTTP_1 ? this.#hosts : this.#book(transport, source);
    const known = book.get(address, port);
    if (known !== undefined) return known;
    const host = new HostPool({ address, port, transport, source }, this, this.#closed);
    if (!this.#closed) book.set(address, port, host);
    return host;
  }

  /** Closes an upstream's idle connections, and the others after their exchange: it was deregistered. */
  forget(address: string, port: number): void {
    const plain = this.#hosts.remove(address, port);
    if (plain !== undefined) this.#end(plain);
    for (const [key, book] of this.#books) {
      const host = book.remove(address, port);
      if (host !== undefined) this.#end(host);
      if (book.isEmpty) this.#books.delete(key);
    }
  }

  /** As `forget`, for the connections of one transport: the upstream is dialled in another way now. */
  forgetTransport(address: string, port: number, transport: UpstreamTransport): void {
    if (transport === PLAIN_HTTP_1) {
      const plain = this.#hosts.remove(address, port);
      if (plain !== undefined) this.#end(plain);
      return;
    }
    for (const [key, book] of this.#books) {
      if (book.get(address, port)?.target.transport.key !== transport.key) continue;
      const host = book.remove(address, port);
      if (host !== undefined) this.#end(host);
      if (book.isEmpty) this.#books.delete(key);
    }
  }

  #book(transport: UpstreamTransport, source: ProxySource | undefined): HostBook {
    const key = bookKey(transport, source);
    let book = this.#books.get(key);
    if (book === undefined) {
      book = new HostBook();
      this.#books.set(key, book);
    }
    return book;
  }

  emptied(host: HostPool): void {
    if (this.#ending.delete(host)) {
      this.#closeWheelIfUnused();
      return;
    }
    // Pools of the PROXY protocol come and go with clients; the others are as many as there are upstreams.
    const { address, port, transport, source } = host.target;
    if (source === undefined || transport.proxyProtocol === undefined) return;
    const key = bookKey(transport, source);
    const book = this.#books.get(key);
    if (book?.get(address, port) !== host) return;
    book.remove(address, port);
    if (book.isEmpty) this.#books.delete(key);
  }

  dialTcp(address: string, port: number): Socket {
    return this.#dial(address, port);
  }

  /**
   * Runs `task` after the event loop has polled every socket once more: one check phase ends the present round, the second
   * one follows the next poll. All tasks of a round share the two.
   */
  afterPoll(task: () => void): void {
    this.#afterNext.push(task);
    if (this.#pollPlanned) return;
    this.#pollPlanned = true;
    setImmediate(this.#turn);
  }

  /** Closes idle connections at once and the others after their exchange; waiting exchanges fail. */
  close(): void {
    this.#closed = true;
    for (const book of [this.#hosts, ...this.#books.values()]) {
      for (const host of book.values()) this.#end(host);
      book.clear();
    }
    this.#books.clear();
    this.#closeWheelIfUnused();
  }

  #end(host: HostPool): void {
    this.#ending.add(host);
    host.close();
    if (host.size === 0) this.#ending.delete(host);
  }

  #closeWheelIfUnused(): void {
    if (this.#closed && this.#ownsWheel && this.#ending.size === 0) this.wheel.close();
  }

  readonly #turn = (): void => {
    const due = this.#afterThis;
    this.#afterThis = this.#afterNext;
    this.#afterNext = [];
    for (const task of due) task();
    this.#pollPlanned = this.#afterThis.length > 0 || this.#afterNext.length > 0;
    if (this.#pollPlanned) setImmediate(this.#turn);
  };
}

function bookKey(transport: UpstreamTransport, source: ProxySource | undefined): string {
  if (transport.proxyProtocol === undefined || source === undefined) return transport.key;
  const { sourceAddress, sourcePort, destinationAddress, destinationPort } = source;
  return `${transport.key} ${sourceAddress} ${sourcePort} ${destinationAddress} ${destinationPort}`;
}
