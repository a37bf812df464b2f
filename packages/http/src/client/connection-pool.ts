import type { Socket } from 'node:net';
import type { Clock } from '@portolan/core';
import { DEFAULT_CHUNKED_LIMITS } from '../message/chunked-decoder.ts';
import { DEFAULT_HEAD_LIMITS } from '../message/request-head.ts';
import { TimerWheel } from '../time/timer-wheel.ts';
import { dialTcp } from '../transport/socket-reader.ts';
import { HostPool, type HostPoolOwner, type PoolLimits } from './host-pool.ts';
import { UpstreamExchange, type UpstreamHandler } from './upstream-exchange.ts';

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
  /** By address and then by port, so that finding one makes no key. */
  readonly #hosts = new Map<string, Map<number, HostPool>>();
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

  /** Starts an exchange; its handler hears `onReady` when a connection is there, or `onError`. */
  connect(address: string, port: number, handler: UpstreamHandler): UpstreamExchange {
    const exchange = new UpstreamExchange(handler);
    this.host(address, port).take(exchange);
    return exchange;
  }

  /** The pool of one upstream; worth keeping by who calls it often, and valid until `forget` or `close`. */
  host(address: string, port: number): HostPool {
    const known = this.#hosts.get(address)?.get(port);
    if (known !== undefined) return known;
    const host = new HostPool(address, port, this, this.#closed);
    if (this.#closed) return host;
    const ports = this.#hosts.get(address) ?? new Map<number, HostPool>();
    this.#hosts.set(address, ports.set(port, host));
    return host;
  }

  /** Closes an upstream's idle connections, and the others after their exchange: it was deregistered. */
  forget(address: string, port: number): void {
    const ports = this.#hosts.get(address);
    const host = ports?.get(port);
    if (ports === undefined || host === undefined) return;
    ports.delete(port);
    if (ports.size === 0) this.#hosts.delete(address);
    this.#end(host);
  }

  emptied(host: HostPool): void {
    this.#ending.delete(host);
    this.#closeWheelIfUnused();
  }

  dial(address: string, port: number): Socket {
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
    for (const ports of this.#hosts.values()) {
      for (const host of ports.values()) this.#end(host);
    }
    this.#hosts.clear();
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
