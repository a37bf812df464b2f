import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerStreamResponseOptions,
} from 'node:http2';
import type { Socket } from 'node:net';
import { http2RequestText, http2ResponseFields } from '../../message/http2-lines.ts';
import { parseRequestHead, type RequestHead } from '../../message/request-head.ts';
import { HttpProtocolError } from '../../protocol/protocol-error.ts';
import { WheelTimer } from '../../time/timer-wheel.ts';
import type { ConnectionFacts } from '../connection-facts.ts';
import type { ConnectionOwner, OwnedConnection } from '../connection-owner.ts';
import type { HttpServerLimits } from '../server-limits.ts';
import { closeUnread } from './close-unread.ts';
import { FrameBudget } from './frame-budget.ts';
import { Http2Exchange, type StreamConnection } from './http2-exchange.ts';

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_FLAG_END_STREAM, NGHTTP2_NO_ERROR } = constants;

/** Ours is in the lines; newer than the runtime's types. */
const NO_DATE: ServerStreamResponseOptions & { sendDate: boolean } = { sendDate: false };

/** What one request's body may have under way, and all of a connection together. */
const STREAM_WINDOW_BYTES = 65_535;
const CONNECTION_WINDOW_BYTES = 1_048_576;
const SESSION_MEGABYTES = 16;
const MAX_STREAM_ID = 2 ** 31 - 1;
/** Beyond the limits of a head, up to which the answer is a 431, the runtime resets the stream. */
const MAX_HEADER_PAIRS = 1_000;
const INVALID_FRAMES = 100;

function sessionOptions(limits: HttpServerLimits) {
  return {
    settings: {
      enablePush: false,
      enableConnectProtocol: false,
      initialWindowSize: STREAM_WINDOW_BYTES,
      maxConcurrentStreams: limits.http2Streams,
      maxHeaderListSize: 2 * limits.headBytes,
    },
    maxHeaderListPairs: MAX_HEADER_PAIRS,
    maxSessionMemory: SESSION_MEGABYTES,
    maxSessionInvalidFrames: INVALID_FRAMES,
    // Both or neither: one alone is not heeded.
    streamResetBurst: limits.http2ResetBurst,
    streamResetRate: limits.http2ResetsPerSecond,
    // What an upstream repeats is passed on as it is; newer than the runtime's types.
    strictSingleValueFields: false,
  };
}

/** A client connection of HTTP/2: an exchange on each stream. Framing and flow control are the runtime's. */
export class Http2ServerConnection implements OwnedConnection, StreamConnection {
  readonly remoteAddress: string;
  readonly facts: ConnectionFacts;
  readonly owner: ConnectionOwner;
  readonly #socket: Socket;
  readonly #session: ServerHttp2Session;
  readonly #exchanges = new Set<Http2Exchange>();
  readonly #timer: WheelTimer;
  readonly #resets: FrameBudget;
  readonly #controlFrames: FrameBudget;
  #opened = false;
  #draining = false;
  #closing = false;
  #closed = false;
  #flooded = false;

  /** Nothing was read from the socket yet, or what was is back in it. */
  constructor(socket: Socket, owner: ConnectionOwner, facts: ConnectionFacts) {
    const { limits } = owner;
    this.#socket = socket;
    this.owner = owner;
    this.facts = facts;
    this.remoteAddress = facts.remoteAddress;
    const now = owner.now();
    this.#resets = new FrameBudget(limits.http2ResetBurst, limits.http2ResetsPerSecond, now);
    this.#controlFrames = new FrameBudget(
      limits.http2ControlFrameBurst,
      limits.http2ControlFramesPerSecond,
      now,
    );
    this.#timer = new WheelTimer(() => this.#onTimeout());
    owner.wheel.arm(this.#timer, limits.headTimeoutMs);
    const session = performServerHandshake(socket, sessionOptions(limits));
    this.#session = session;
    session.on('stream', (stream, _headers, flags, raw?: string[]) =>
      this.#onStream(stream, flags, raw ?? []),
    );
    session.on('remoteSettings', () => this.#onSettings());
    session.on('ping', () => this.#onControlFrame());
    // Told by 'close'.
    session.on('error', () => undefined);
    session.on('close', () => this.#onClose());
    // Behind the session's own reading of what lies in the socket.
    process.nextTick(() =>
      process.nextTick(() => {
        if (socket.isPaused()) socket.resume();
      }),
    );
    socket.on('error', () => this.#session.destroy());
    socket.on('end', () => this.#session.destroy());
    socket.on('close', () => this.#session.destroy());
  }

  /** Whether exchanges are under way. */
  get busy(): boolean {
    return this.#exchanges.size > 0;
  }

  get draining(): boolean {
    return this.owner.draining;
  }

  /**
   * RFC 9113 §6.8: while exchanges are under way it first says that it is going to close, and takes what crosses that on its
   * way. Without any it closes: the runtime sends nothing more on a connection that said so and has no streams.
   */
  drain(): void {
    if (this.#draining || this.#closed) return;
    this.#draining = true;
    if (!this.#opened || this.#session.destroyed) this.#session.destroy();
    else if (this.#exchanges.size === 0) this.#closeSession();
    else {
      this.#session.goaway(NGHTTP2_NO_ERROR, MAX_STREAM_ID);
      this.owner.wheel.arm(this.#timer, this.owner.limits.lingerTimeoutMs);
    }
  }

  abort(reason: Error): void {
    for (const exchange of [...this.#exchanges]) exchange.lost(reason);
    this.#session.destroy();
    this.#socket.destroy();
  }

  left(exchange: Http2Exchange): void {
    if (!this.#exchanges.delete(exchange) || this.#exchanges.size > 0) return;
    if (this.#closed) return;
    if (this.#draining) this.#closeSession();
    else this.owner.wheel.arm(this.#timer, this.owner.limits.idleTimeoutMs);
  }

  resetByClient(): void {
    if (!this.#resets.take(this.owner.now())) this.#cutOff('TOO_MANY_RESETS');
  }

  #onSettings(): void {
    if (this.#opened) {
      this.#onControlFrame();
      return;
    }
    this.#opened = true;
    this.#session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    if (this.#exchanges.size === 0) {
      this.owner.wheel.arm(this.#timer, this.owner.limits.idleTimeoutMs);
    }
    // It came while the server was being drained.
    if (this.owner.draining) this.drain();
  }

  #onControlFrame(): void {
    if (!this.#controlFrames.take(this.owner.now())) this.#cutOff('TOO_MANY_CONTROL_FRAMES');
  }

  #cutOff(code: 'TOO_MANY_RESETS' | 'TOO_MANY_CONTROL_FRAMES'): void {
    if (this.#closed || this.#flooded) return;
    this.#flooded = true;
    const error = new HttpProtocolError(code);
    this.owner.fault(error);
    for (const exchange of [...this.#exchanges]) exchange.lost(error);
    // Not within the callbacks of a stream, which may still have something to send.
    process.nextTick(() => this.#session.destroy(error, NGHTTP2_ENHANCE_YOUR_CALM));
  }

  #onStream(stream: ServerHttp2Stream, flags: number, raw: readonly string[]): void {
    // Told by 'close'.
    stream.on('error', () => undefined);
    if (stream.destroyed || this.#closed || this.#flooded) return;
    const complete = (flags & NGHTTP2_FLAG_END_STREAM) !== 0;
    let head: RequestHead;
    try {
      head = this.#parse(raw, complete);
    } catch (error) {
      stream.resume();
      if (!(error instanceof HttpProtocolError)) throw error;
      this.#refuse(stream, complete, error);
      return;
    }
    const exchange = new Http2Exchange(this, stream, head, complete);
    this.#exchanges.add(exchange);
    if (this.#opened && !this.#draining) this.owner.wheel.disarm(this.#timer);
    this.owner.begin(exchange);
  }

  #parse(raw: readonly string[], complete: boolean): RequestHead {
    const { limits } = this.owner;
    const bytes = Buffer.from(http2RequestText(raw, complete), 'latin1');
    const head = parseRequestHead(bytes, 0, bytes.length, limits);
    if (head === undefined) throw new HttpProtocolError('HEAD_TOO_LARGE');
    return head;
  }

  /** A request that breaks a rule costs its stream; many cost the connection. */
  #refuse(stream: ServerHttp2Stream, complete: boolean, error: HttpProtocolError): void {
    const { status, lines, body } = this.owner.fault(error);
    stream.respond(http2ResponseFields(status, lines, body.length), NO_DATE);
    stream.end(body);
    if (!complete) closeUnread(stream);
    this.resetByClient();
  }

  #onTimeout(): void {
    if (!this.#opened) this.abort(new HttpProtocolError('HEAD_TIMEOUT'));
    else if (this.#draining) this.#closeSession();
    else this.drain();
  }

  #closeSession(): void {
    if (this.#closing || this.#closed) return;
    this.#closing = true;
    this.owner.wheel.disarm(this.#timer);
    this.#session.close();
  }

  #onClose(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.owner.wheel.disarm(this.#timer);
    const reason = new Error('The client closed the connection');
    for (const exchange of [...this.#exchanges]) exchange.lost(reason);
    this.#socket.destroy();
    this.owner.closed(this);
  }
}
