import type { Socket } from 'node:net';
import type { BodyFraming } from '../message/framing.ts';
import type { MessageFields } from '../message/message-fields.ts';
import type { ResponseHead } from '../message/response-head.ts';
import type { UpstreamError } from './upstream-error.ts';

/** What an attempt at an upstream tells whoever makes it. After `onEnd`, `onError` or `onUpgrade` nothing more is called. */
export interface UpstreamHandler {
  /** A connection is there: call `sendHead` now. May come before `ConnectionPool.connect` returns. */
  onReady(exchange: UpstreamExchange): void;
  /** 1xx other than 101. */
  onInformational(head: ResponseHead): void;
  onHead(head: ResponseHead): void;
  /** A piece of the response's body. It is lent: what is kept of it after the call has to be copied. */
  onData(piece: Buffer): void;
  onEnd(trailers: MessageFields | undefined): void;
  onError(error: UpstreamError): void;
  /** The upstream switched protocols as asked; the socket is paused and now the handler's. */
  onUpgrade(head: ResponseHead, socket: Socket, surplus: Buffer): void;
  /** After a write returned false: more is welcome. */
  onDrain(): void;
}

/** What an exchange needs of the connection that carries it. */
export interface ExchangeCarrier {
  /** Composes and sends the head in its protocol's form; `lines` are whole HTTP/1.1 header lines. */
  send(
    exchange: UpstreamExchange,
    method: string,
    target: string,
    lines: string,
    framing: BodyFraming,
    upgrade: string | undefined,
  ): void;
  write(piece: Buffer): boolean;
  end(piece?: Buffer, trailerLines?: string): void;
  setFlowing(flowing: boolean): void;
  destroy(): void;
}

/** One request to an upstream, from waiting for a connection to the response's end. Inert once it ended. */
export class UpstreamExchange {
  readonly handler: UpstreamHandler;
  /** Whether the connection had served another request before: then it may have been closed by the upstream meanwhile. */
  reused = false;
  /** Whether any byte of the request may have reached the upstream. */
  requestStarted = false;
  /** Whether any byte came back. */
  responseStarted = false;
  ended = false;
  method = '';
  upgrading = false;
  #carrier: ExchangeCarrier | undefined;

  constructor(handler: UpstreamHandler) {
    this.handler = handler;
  }

  /** Called by the pool. */
  attach(carrier: ExchangeCarrier, reused: boolean): void {
    this.#carrier = carrier;
    this.reused = reused;
    this.handler.onReady(this);
  }

  /**
   * Sends the request's head. `lines` are whole header lines, Host among them, without framing and connection fields.
   * With `framing` none, the request is complete; else go on with `write` and `end`. `upgrade` asks for that protocol.
   */
  sendHead(
    method: string,
    target: string,
    lines: string,
    framing: BodyFraming,
    upgrade?: string,
  ): void {
    if (this.ended || this.method !== '' || this.#carrier === undefined) return;
    this.method = method;
    this.upgrading = upgrade !== undefined;
    this.#carrier.send(this, method, target, lines, framing, upgrade);
  }

  /** A piece of the request's body, which may be lent; false says to wait for `onDrain`. */
  write(piece: Buffer): boolean {
    return this.ended || this.#carrier === undefined ? true : this.#carrier.write(piece);
  }

  /** Ends the request's body, with an optional last piece; trailer lines are whole, and go only with a chunked body. */
  end(piece?: Buffer, trailerLines?: string): void {
    if (!this.ended) this.#carrier?.end(piece, trailerLines);
  }

  /** Stops `onData`, but for the rest of the piece now being decoded. */
  pause(): void {
    if (!this.ended) this.#carrier?.setFlowing(false);
  }

  resume(): void {
    if (!this.ended) this.#carrier?.setFlowing(true);
  }

  /** Gives up: the connection is cut, or the place in the queue is left. No callback follows. */
  abort(): void {
    if (this.ended) return;
    this.ended = true;
    this.#carrier?.destroy();
    this.#carrier = undefined;
  }

  /** Called by pool and connection: the end, whichever it is. */
  finish(): void {
    this.ended = true;
    this.#carrier = undefined;
  }

  /** Called by pool and connection. */
  fail(error: UpstreamError): void {
    if (this.ended) return;
    this.finish();
    this.handler.onError(error);
  }
}
