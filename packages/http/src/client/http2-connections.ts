import type { Socket } from 'node:net';
import type { TimerWheel } from '../time/timer-wheel.ts';
import { Http2Connection, type Http2Limits, type Http2Owner } from './http2-connection.ts';
import type { UpstreamError } from './upstream-error.ts';
import type { UpstreamExchange } from './upstream-exchange.ts';

/** What the HTTP/2 connections of one upstream need of its pool. */
export interface StreamsOwner {
  readonly limits: Http2Limits;
  readonly wheel: TimerWheel;
  readonly connectTimeoutMs: number;
  /** Who waits may be served. */
  onStreamRoom(): void;
  onStreamDialFailed(error: UpstreamError): void;
  onStreamConnectionClosed(): void;
}

/** RFC 9113 §6.5.2: no upstream ought to take fewer. */
export const PRESUMED_STREAMS = 100;

/** The HTTP/2 connections to one upstream: the first that has room carries the next exchange, so that spare ones fall idle. */
export class Http2Connections implements Http2Owner {
  readonly limits: Http2Limits;
  readonly wheel: TimerWheel;
  readonly connectTimeoutMs: number;
  readonly #owner: StreamsOwner;
  readonly #opening = new Set<Http2Connection>();
  readonly #open: Http2Connection[] = [];
  readonly #retired = new Set<Http2Connection>();

  constructor(owner: StreamsOwner) {
    this.#owner = owner;
    this.limits = owner.limits;
    this.wheel = owner.wheel;
    this.connectTimeoutMs = owner.connectTimeoutMs;
  }

  get size(): number {
    return this.#opening.size + this.#open.length + this.#retired.size;
  }

  /** Connections that take nothing new and end with what they carry. */
  get retired(): number {
    return this.#retired.size;
  }

  /** Connections from which room is still hoped for: not ready yet, or open to no stream at all for now. */
  get coming(): number {
    let coming = this.#opening.size;
    for (const connection of this.#open) if (connection.maxStreams === 0) coming++;
    return coming;
  }

  /** Exchanges that one more connection would carry, as far as is known. */
  get streamsEach(): number {
    return this.#open.at(-1)?.maxStreams || PRESUMED_STREAMS;
  }

  add(socket: Socket, secure: boolean): void {
    this.#opening.add(new Http2Connection(socket, secure, this));
  }

  /** Gives the exchange a stream; false where there is no room. */
  take(exchange: UpstreamExchange): boolean {
    const connection = this.#roomy();
    connection?.carry(exchange);
    return connection !== undefined;
  }

  get hasRoom(): boolean {
    return this.#roomy() !== undefined;
  }

  /** Connections without exchanges close at once, the others after them. */
  close(): void {
    for (const connection of [...this.#opening, ...this.#open]) connection.retire();
  }

  onHttp2Ready(connection: Http2Connection): void {
    this.#opening.delete(connection);
    this.#open.push(connection);
    this.#owner.onStreamRoom();
  }

  onHttp2Failed(connection: Http2Connection, error: UpstreamError): void {
    this.#opening.delete(connection);
    this.#owner.onStreamDialFailed(error);
  }

  onHttp2Room(): void {
    this.#owner.onStreamRoom();
  }

  onHttp2Retired(connection: Http2Connection): void {
    this.#remove(connection);
    this.#retired.add(connection);
  }

  onHttp2Closed(connection: Http2Connection): void {
    this.#remove(connection);
    this.#retired.delete(connection);
    this.#owner.onStreamConnectionClosed();
  }

  #roomy(): Http2Connection | undefined {
    for (const connection of this.#open) if (connection.hasRoom) return connection;
    return undefined;
  }

  #remove(connection: Http2Connection): void {
    const at = this.#open.indexOf(connection);
    if (at >= 0) this.#open.splice(at, 1);
  }
}
