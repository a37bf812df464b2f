import { type ClientHttp2Session, type ClientSessionOptions, connect } from 'node:http2';
import type { Socket } from 'node:net';
import { type TimerWheel, WheelTimer } from '../time/timer-wheel.ts';
import { Http2Stream, type StreamOwner } from './http2-stream.ts';
import type { UpstreamLimits } from './upstream-connection.ts';
import { UpstreamError } from './upstream-error.ts';
import type { UpstreamExchange } from './upstream-exchange.ts';

export interface Http2Limits extends UpstreamLimits {
  /** On one connection, however many more the upstream would take. Default 256. */
  readonly maxStreams: number;
  /** A connection without streams is closed after this. Default 60 s. */
  readonly http2IdleTimeoutMs: number;
  /** A connection with streams but without a sign of life for this long is asked for one. Default 30 s. */
  readonly pingAfterMs: number;
  /** How long the answer to that may take. Default 10 s. */
  readonly pingTimeoutMs: number;
}

/** What an HTTP/2 connection needs of its pool. */
export interface Http2Owner {
  readonly limits: Http2Limits;
  readonly wheel: TimerWheel;
  readonly connectTimeoutMs: number;
  /** The upstream's SETTINGS are there: exchanges may be carried. */
  onHttp2Ready(connection: Http2Connection): void;
  /** It closed before it was ready: nothing was sent. */
  onHttp2Failed(connection: Http2Connection, error: UpstreamError): void;
  /** A stream ended, or the upstream takes more of them. */
  onHttp2Room(connection: Http2Connection): void;
  /** Takes no more exchanges; closes after those it carries. */
  onHttp2Retired(connection: Http2Connection): void;
  onHttp2Closed(connection: Http2Connection): void;
}

/** What one stream may have under way; the connection's own window is given back as data arrives. */
const STREAM_WINDOW_BYTES = 262_144;
const CONNECTION_WINDOW_BYTES = 1_048_576;
/** grpc-go and others take more than two PINGs within five minutes of silence for abuse. */
const PING_AGAIN_MS = 300_000;
const SESSION_MEGABYTES = 64;

function sessionOptions(limits: Http2Limits): ClientSessionOptions {
  const options = {
    settings: {
      enablePush: false,
      initialWindowSize: STREAM_WINDOW_BYTES,
      maxHeaderListSize: limits.headBytes,
    },
    maxHeaderListPairs: limits.maxFields + 1,
    maxSessionMemory: SESSION_MEGABYTES,
    // What a client repeats is passed on as it is; newer than the runtime's types.
    strictSingleValueFields: false,
  };
  return options;
}

/** TLS 1.3 refuses a client's certificate after the client took the handshake for done. */
function openingFailure(cause: unknown): UpstreamError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return code.startsWith('ERR_SSL')
    ? new UpstreamError('TLS_FAILED', 'The upstream ended TLS after the handshake', { cause })
    : new UpstreamError('CONNECT_FAILED', 'The upstream does not speak HTTP/2', { cause });
}

/** One HTTP/2 connection to an upstream: many exchanges at a time. */
export class Http2Connection implements StreamOwner {
  readonly session: ClientHttp2Session;
  readonly secure: boolean;
  readonly limits: Http2Limits;
  readonly wheel: TimerWheel;
  lastStreamId = Number.POSITIVE_INFINITY;
  readonly #socket: Socket;
  readonly #owner: Http2Owner;
  readonly #timer: WheelTimer;
  readonly #streams = new Set<Http2Stream>();
  #cause: unknown;
  #peerMax = 0;
  #carried = 0;
  #ready = false;
  #retired = false;
  #closed = false;
  #heard = false;
  #pinging = false;
  /** A PING was answered, and nothing else came since. */
  #quiet = false;

  /** The socket is connected, and nothing was read from it yet. */
  constructor(socket: Socket, secure: boolean, owner: Http2Owner) {
    this.#socket = socket;
    this.secure = secure;
    this.#owner = owner;
    this.limits = owner.limits;
    this.wheel = owner.wheel;
    this.#timer = new WheelTimer(() => this.#onTimeout());
    this.wheel.arm(this.#timer, owner.connectTimeoutMs);
    this.session = connect('http://upstream', {
      ...sessionOptions(owner.limits),
      createConnection: () => socket,
    });
    this.session.once('connect', () => this.session.setLocalWindowSize(CONNECTION_WINDOW_BYTES));
    this.session.on('remoteSettings', () => this.#onSettings());
    this.session.on('goaway', (_code, lastStreamId) => {
      this.lastStreamId = Math.min(this.lastStreamId, lastStreamId);
      this.retire();
    });
    this.session.on('error', (error) => {
      this.#cause = error;
    });
    this.session.on('close', () => this.#onClose());
    // The session does not hear of every error of its socket: not of a TLS alert after the handshake, for one.
    socket.on('error', (error) => {
      this.#cause ??= error;
      this.destroy();
    });
    socket.on('close', () => this.session.destroy());
  }

  /** Exchanges it carries now. */
  get streams(): number {
    return this.#streams.size;
  }

  /** Exchanges it may carry at a time. */
  get maxStreams(): number {
    return Math.min(this.#peerMax, this.limits.maxStreams);
  }

  get hasRoom(): boolean {
    return !this.#retired && this.#ready && this.#streams.size < this.maxStreams;
  }

  /** Starts the exchange; only where there is room. */
  carry(exchange: UpstreamExchange): void {
    const stream = new Http2Stream(this, exchange);
    this.#streams.add(stream);
    if (this.#streams.size === 1) this.#watch();
    exchange.attach(stream, this.#carried++ > 0);
  }

  /** Takes no more exchanges, and closes after the last. */
  retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    if (this.#ready) this.#owner.onHttp2Retired(this);
    if (this.#streams.size === 0) this.destroy();
  }

  destroy(): void {
    this.session.destroy();
    this.#socket.destroy();
  }

  heard(): void {
    this.#heard = true;
    if (this.#quiet) this.#watch();
  }

  left(stream: Http2Stream): void {
    if (!this.#streams.delete(stream) || this.#closed) return;
    if (this.#streams.size === 0) {
      if (this.#retired) {
        this.destroy();
        return;
      }
      this.#pinging = false;
      this.wheel.arm(this.#timer, this.limits.http2IdleTimeoutMs);
    }
    if (this.hasRoom) this.#owner.onHttp2Room(this);
  }

  #watch(): void {
    this.#heard = false;
    this.#quiet = false;
    this.#pinging = false;
    this.wheel.arm(this.#timer, this.limits.pingAfterMs);
  }

  #onSettings(): void {
    if (this.#closed) return;
    this.#peerMax = this.session.remoteSettings.maxConcurrentStreams ?? Number.POSITIVE_INFINITY;
    if (this.#ready) {
      if (this.hasRoom) this.#owner.onHttp2Room(this);
      return;
    }
    this.#ready = true;
    this.wheel.arm(this.#timer, this.limits.http2IdleTimeoutMs);
    this.#owner.onHttp2Ready(this);
  }

  #onTimeout(): void {
    if (!this.#ready) {
      this.#cause = new Error('The upstream did not greet in time');
      this.destroy();
    } else if (this.#streams.size === 0) this.destroy();
    else if (this.#heard) this.#watch();
    else if (this.#pinging) {
      this.#cause = new Error('The upstream did not answer a PING');
      this.destroy();
    } else this.#ping();
  }

  #ping(): void {
    this.#pinging = true;
    this.wheel.arm(this.#timer, this.limits.pingTimeoutMs);
    this.session.ping((error) => {
      if (error || !this.#pinging || this.#closed) return;
      this.#pinging = false;
      this.#quiet = true;
      this.wheel.arm(this.#timer, PING_AGAIN_MS);
    });
  }

  #onClose(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.wheel.disarm(this.#timer);
    if (!this.#ready) {
      this.#owner.onHttp2Failed(this, openingFailure(this.#cause));
      return;
    }
    this.#retired = true;
    // Out of the pool first: what a lost stream starts anew is not to come here.
    this.#owner.onHttp2Closed(this);
    for (const stream of [...this.#streams]) stream.lost(this.#cause);
  }
}
