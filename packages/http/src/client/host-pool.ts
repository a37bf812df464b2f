import type { Socket } from 'node:net';
import { type TimerWheel, WheelTimer } from '../time/timer-wheel.ts';
import {
  UpstreamConnection,
  type UpstreamLimits,
  type UpstreamOwner,
} from './upstream-connection.ts';
import { UpstreamError } from './upstream-error.ts';
import type { UpstreamExchange } from './upstream-exchange.ts';

export interface PoolLimits extends UpstreamLimits {
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
  dial(address: string, port: number): Socket;
  afterPoll(task: () => void): void;
  /** The last connection of a closed pool is gone. */
  emptied(host: HostPool): void;
}

interface Waiter {
  readonly exchange: UpstreamExchange;
  readonly timer: WheelTimer;
}

/** The connections to one upstream and who waits for one. */
export class HostPool implements UpstreamOwner {
  readonly limits: PoolLimits;
  readonly wheel: TimerWheel;
  readonly #address: string;
  readonly #port: number;
  readonly #owner: HostPoolOwner;
  readonly #connections = new Set<UpstreamConnection>();
  readonly #idle: UpstreamConnection[] = [];
  readonly #dialling = new Set<Socket>();
  readonly #waiting: Waiter[] = [];
  #closed: boolean;

  constructor(address: string, port: number, owner: HostPoolOwner, closed: boolean) {
    this.#address = address;
    this.#port = port;
    this.#owner = owner;
    this.limits = owner.limits;
    this.wheel = owner.wheel;
    this.#closed = closed;
  }

  /** Open connections, those being dialled included. */
  get size(): number {
    return this.#connections.size + this.#dialling.size;
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
    const connection = this.#idle.pop();
    if (connection !== undefined) {
      this.#prove(connection, exchange);
      return;
    }
    if (this.#waiting.length >= this.limits.maxWaiting) {
      this.#dropAborted();
      if (this.#waiting.length >= this.limits.maxWaiting) {
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
    if (this.#closed && this.size === 0) this.#owner.emptied(this);
  }

  /** Closes idle connections at once and the others after their exchange; waiting exchanges fail. */
  close(): void {
    this.#closed = true;
    for (const connection of this.#idle.splice(0)) connection.destroy();
    for (const socket of this.#dialling) socket.destroy();
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
    this.#owner.afterPoll(() => {
      if (exchange.ended) {
        if (connection.usable) this.released(connection);
      } else if (connection.usable) connection.carry(exchange);
      else this.take(exchange);
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
    if (this.#closed || this.#dialling.size >= this.#waiting.length) return;
    if (this.size >= this.limits.maxConnections) return;
    const socket = this.#owner.dial(this.#address, this.#port);
    this.#dialling.add(socket);
    const timer = new WheelTimer(() => {
      failed(new UpstreamError('CONNECT_TIMEOUT', 'The upstream did not accept in time'));
      socket.destroy();
    });
    this.wheel.arm(timer, this.limits.connectTimeoutMs);
    const failed = (error: UpstreamError): void => {
      this.wheel.disarm(timer);
      if (!this.#dialling.delete(socket)) return;
      this.#nextWaiting()?.fail(error);
      if (this.#waiting.length > 0) this.#dialIfNeeded();
    };
    const onError = (cause: Error): void => {
      failed(new UpstreamError('CONNECT_FAILED', 'The upstream cannot be reached', { cause }));
    };
    socket.on('error', onError);
    socket.once('connect', () => {
      this.wheel.disarm(timer);
      if (!this.#dialling.delete(socket)) {
        socket.destroy();
        return;
      }
      const connection = new UpstreamConnection(socket, this);
      socket.off('error', onError);
      this.#connections.add(connection);
      const exchange = this.#nextWaiting();
      if (exchange !== undefined) connection.carry(exchange);
      else this.released(connection);
    });
  }
}
