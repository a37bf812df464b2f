import type { Socket } from 'node:net';
import { type TimerWheel, WheelTimer } from '../time/timer-wheel.ts';
import { Dial, type DialOwner, type DialTarget } from './dial.ts';
import type { Http2Limits } from './http2-connection.ts';
import { Http2Connections, PRESUMED_STREAMS, type StreamsOwner } from './http2-connections.ts';
import { UpstreamConnection, type UpstreamOwner } from './upstream-connection.ts';
import { UpstreamError } from './upstream-error.ts';
import type { UpstreamExchange } from './upstream-exchange.ts';

export interface PoolLimits extends Http2Limits {
  /** Per upstream. Default 256. */
  readonly maxConnections: number;
  /** Exchanges that may wait for a connection, per upstream. Default 1,024. */
  readonly maxWaiting: number;
  /** Default 2 s. */
  readonly connectTimeoutMs: number;
  /** For a free connection. Default 5 s. */
  readonly queueTimeoutMs: number;
}

/** What the pool of one upstream needs of all pools. */
export interface HostPoolOwner {
  readonly limits: PoolLimits;
  readonly wheel: TimerWheel;
  dialTcp(address: string, port: number): Socket;
  afterPoll(task: () => void): void;
  /** The last connection of a closed pool is gone. */
  emptied(host: HostPool): void;
}

interface Waiter {
  readonly exchange: UpstreamExchange;
  readonly timer: WheelTimer;
}

/** The connections to one upstream and who waits for one. */
export class HostPool implements UpstreamOwner, DialOwner, StreamsOwner {
  readonly limits: PoolLimits;
  readonly wheel: TimerWheel;
  readonly target: DialTarget;
  readonly connectTimeoutMs: number;
  /** For this very target, so that no session is ever resumed under another name or with another trust (CVE-2026-48934). */
  tlsSession: Buffer | undefined;
  readonly #owner: HostPoolOwner;
  readonly #maxConnections: number;
  readonly #maxWaiting: number;
  readonly #connections = new Set<UpstreamConnection>();
  readonly #idle: UpstreamConnection[] = [];
  readonly #dialling = new Set<Dial>();
  /** Made with the first connection that speaks HTTP/2. */
  #streams: Http2Connections | undefined;
  /** What the last connection agreed on; with `auto` it is not known before. */
  #spoken: 'http/1.1' | 'h2' | 'auto';
  readonly #waiting: Waiter[] = [];
  /** Handed over after the next poll. */
  #proving = 0;
  #closed: boolean;

  constructor(target: DialTarget, owner: HostPoolOwner, closed: boolean) {
    this.target = target;
    this.#owner = owner;
    this.limits = owner.limits;
    this.wheel = owner.wheel;
    const { connectTimeoutMs, maxConnections, maxWaiting } = target.transport;
    this.connectTimeoutMs = connectTimeoutMs ?? owner.limits.connectTimeoutMs;
    this.#maxConnections = Math.min(maxConnections ?? Infinity, owner.limits.maxConnections);
    this.#maxWaiting = Math.min(maxWaiting ?? Infinity, owner.limits.maxWaiting);
    this.#closed = closed;
    this.#spoken = target.transport.protocol;
  }

  /** Open connections, those being dialled included. */
  get size(): number {
    return this.#connections.size + this.#dialling.size + (this.#streams?.size ?? 0);
  }

  get idle(): number {
    return this.#idle.length;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Gives the exchange a connection, now or later. */
  take(exchange: UpstreamExchange): void {
    if (this.#closed) {
      exchange.fail(new UpstreamError('POOL_CLOSED', 'The pool is closed'));
      return;
    }
    const { fault } = this.target.transport;
    if (fault !== undefined) {
      exchange.fail(new UpstreamError('TLS_FAILED', `The transport cannot be used: ${fault}`));
      return;
    }
    if (this.#streams?.take(exchange)) return;
    const connection = this.#idle.pop();
    if (connection !== undefined) {
      this.#prove(connection, exchange);
      return;
    }
    if (this.#waiting.length >= this.#maxWaiting) {
      this.#dropAborted();
      if (this.#waiting.length >= this.#maxWaiting) {
        exchange.fail(new UpstreamError('QUEUE_FULL', 'Too many requests wait for this upstream'));
        return;
      }
    }
    const timer = new WheelTimer(() => this.#expire(exchange));
    this.wheel.arm(timer, this.limits.queueTimeoutMs);
    this.#waiting.push({ exchange, timer });
    this.#dialIfNeeded();
  }

  released(connection: UpstreamConnection): void {
    if (this.#closed) {
      connection.destroy();
      return;
    }
    const exchange = this.#nextWaiting();
    if (exchange !== undefined) {
      this.#prove(connection, exchange);
      return;
    }
    connection.park();
    this.#idle.push(connection);
  }

  closed(connection: UpstreamConnection): void {
    this.#connections.delete(connection);
    const at = this.#idle.lastIndexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    if (this.#waiting.length > 0) this.#dialIfNeeded();
    this.#tellIfEmpty();
  }

  dialTcp(address: string, port: number): Socket {
    return this.#owner.dialTcp(address, port);
  }

  keepTlsSession(session: Buffer | undefined): void {
    this.tlsSession = session;
  }

  /** Closes idle connections at once and the others after their exchange; waiting exchanges fail. */
  close(): void {
    this.#closed = true;
    for (const connection of this.#idle.splice(0)) connection.destroy();
    this.#streams?.close();
    for (const dial of this.#dialling) dial.cancel();
    this.#dialling.clear();
    for (const { exchange, timer } of this.#waiting.splice(0)) {
      this.wheel.disarm(timer);
      exchange.fail(new UpstreamError('POOL_CLOSED', 'The pool is closed'));
    }
  }

  /**
   * Hands over a connection that served before only after its socket was polled once more, so that a response which had
   * arrived before the request was written is seen as surplus and not as the answer, however busy the event loop was.
   */
  #prove(connection: UpstreamConnection, exchange: UpstreamExchange): void {
    connection.park();
    this.#proving++;
    this.#owner.afterPoll(() => {
      this.#proving--;
      if (exchange.ended) {
        if (connection.usable) this.released(connection);
      } else if (connection.usable) connection.carry(exchange);
      else {
        this.take(exchange);
        this.#tellIfEmpty();
      }
    });
  }

  #nextWaiting(): UpstreamExchange | undefined {
    for (let waiter = this.#waiting.shift(); waiter; waiter = this.#waiting.shift()) {
      this.wheel.disarm(waiter.timer);
      if (!waiter.exchange.ended) return waiter.exchange;
    }
    return undefined;
  }

  #dropAborted(): void {
    const live = this.#waiting.filter(({ exchange }) => !exchange.ended);
    this.#waiting.splice(0, this.#waiting.length, ...live);
  }

  #expire(exchange: UpstreamExchange): void {
    const at = this.#waiting.findIndex((waiter) => waiter.exchange === exchange);
    if (at >= 0) this.#waiting.splice(at, 1);
    exchange.fail(new UpstreamError('QUEUE_TIMEOUT', 'No connection became free in time'));
  }

  #dialIfNeeded(): void {
    while (!this.#closed && this.#mayDial) {
      const coming = this.#dialling.size + (this.#streams?.coming ?? 0);
      if (coming * this.#servedByDial() >= this.#waiting.length) return;
      const dial = new Dial(this.target, this);
      this.#dialling.add(dial);
      dial.start();
    }
  }

  get #mayDial(): boolean {
    if (this.size < this.#maxConnections) return true;
    // Connections that only end what they carry must not keep everybody waiting for as long as that takes.
    const ending = this.#streams?.retired ?? 0;
    return this.size === ending && this.size < this.limits.maxConnections;
  }

  /** How many of those who wait one more connection would serve. */
  #servedByDial(): number {
    switch (this.#spoken) {
      case 'http/1.1':
        return 1;
      case 'h2':
        return this.#streams?.streamsEach ?? PRESUMED_STREAMS;
      // One connection has to find out first.
      case 'auto':
        return Number.MAX_SAFE_INTEGER;
    }
  }

  onDialled(dial: Dial, socket: Socket, protocol: 'http/1.1' | 'h2'): void {
    this.#dialling.delete(dial);
    this.#spoken = protocol;
    if (protocol === 'h2') {
      this.#streams ??= new Http2Connections(this);
      this.#streams.add(socket, this.target.transport.tls !== undefined);
      return;
    }
    const connection = new UpstreamConnection(socket, this);
    this.#connections.add(connection);
    const exchange = this.#nextWaiting();
    if (exchange !== undefined) connection.carry(exchange);
    else this.released(connection);
    if (this.#waiting.length > 0) this.#dialIfNeeded();
  }

  onDialFailed(dial: Dial, error: UpstreamError): void {
    this.#dialling.delete(dial);
    this.onStreamDialFailed(error);
  }

  onStreamDialFailed(error: UpstreamError): void {
    // Those whom it would have served; whoever they are tried again for comes after them.
    const served = Math.min(this.#servedByDial(), this.#waiting.length);
    for (const { exchange, timer } of this.#waiting.splice(0, served)) {
      this.wheel.disarm(timer);
      exchange.fail(error);
    }
    if (this.#waiting.length > 0) this.#dialIfNeeded();
    this.#tellIfEmpty();
  }

  onStreamRoom(): void {
    while (this.#waiting.length > 0 && this.#streams?.hasRoom) {
      const exchange = this.#nextWaiting();
      if (exchange !== undefined) this.#streams.take(exchange);
    }
    if (this.#waiting.length > 0) this.#dialIfNeeded();
  }

  onStreamConnectionClosed(): void {
    if (this.#waiting.length > 0) this.#dialIfNeeded();
    this.#tellIfEmpty();
  }

  #tellIfEmpty(): void {
    if (this.size === 0 && this.#proving === 0 && this.#waiting.length === 0) {
      this.#owner.emptied(this);
    }
  }
}
