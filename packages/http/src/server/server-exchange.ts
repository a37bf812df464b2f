import type { Socket } from 'node:net';
import {
  type BodyFraming,
  CHUNKED,
  EMPTY_BODY,
  lengthFraming,
  NO_BODY,
  UNTIL_CLOSE,
} from '../message/framing.ts';
import { recordLines, statusLine } from '../message/head-text.ts';
import type { MessageFields } from '../message/message-fields.ts';
import type { RequestHead } from '../message/request-head.ts';
import { isBodiless } from '../message/response-head.ts';
import { BufferedBody } from './buffered-body.ts';
import type { ExchangeConnection } from './exchange-connection.ts';

/** What an exchange tells its handler. Nothing is called after `onAbort`, nor after the response has ended. */
export interface ExchangeHandler {
  /** A piece of the request's body; it may be kept, it is never written to again. */
  onBodyData(piece: Buffer): void;
  onBodyEnd(trailers: MessageFields | undefined): void;
  /** The client is gone, was too slow, or broke a rule; nothing can be sent any more. */
  onAbort(reason: Error): void;
  /** After a write returned false: more is welcome. */
  onDrain(): void;
}

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

/** One request and its response. Inert once it ended: every later call does nothing. */
export class ServerExchange {
  readonly head: RequestHead;
  readonly remoteAddress: string;
  /** Set before `resume`; told of aborts and drains as soon as it is set. */
  handler: ExchangeHandler | undefined;
  /** Whether `resume` answers `Expect: 100-continue`. A proxy that relays the upstream's 100 sets it to false. */
  autoContinue = true;
  /** For whoever handles the exchange: what it keeps beside it. */
  context: unknown;
  readonly #connection: ExchangeConnection;
  #flowing = false;
  #continued = false;
  #status = 0;
  #aborted = false;
  #keepAlive = true;
  #abortController: AbortController | undefined;
  #drainWaiters: (() => void)[] | undefined;

  constructor(connection: ExchangeConnection, head: RequestHead) {
    this.#connection = connection;
    this.head = head;
    this.remoteAddress = connection.remoteAddress;
  }

  /** Whether body callbacks will come; false for a body of length 0. */
  get hasBody(): boolean {
    const framing = this.head.framing;
    return framing.kind === 'chunked' || (framing.kind === 'length' && framing.length > 0);
  }

  /** 0 until the head of the final response was given. */
  get status(): number {
    return this.#status;
  }

  get aborted(): boolean {
    return this.#aborted;
  }

  /** Whether the response is complete or can no longer be. */
  get ended(): boolean {
    return this.#aborted || !this.#connection.carries(this) || this.#connection.responseEnded;
  }

  /** Whether the request's body is wanted now. */
  get flowing(): boolean {
    return this.#flowing;
  }

  /** Whether the connection may live on, as far as the response's head told the client. */
  get keepAlive(): boolean {
    return this.#keepAlive;
  }

  /** Whether the client still waits to be asked for the body. */
  get awaitsContinue(): boolean {
    return this.head.expectContinue && !this.#continued;
  }

  /** Aborts when the client goes away. */
  get signal(): AbortSignal {
    this.#abortController ??= new AbortController();
    if (this.#aborted) this.#abortController.abort();
    return this.#abortController.signal;
  }

  /** Stops body callbacks, but for the rest of the piece now being decoded. */
  pause(): void {
    this.#flowing = false;
  }

  /** Starts or goes on with body callbacks; what has arrived already comes before this returns. */
  resume(): void {
    if (this.#flowing || this.ended) return;
    this.#flowing = true;
    if (this.autoContinue && this.awaitsContinue && this.#status === 0) this.sendContinue();
    this.#connection.continueBody();
  }

  sendContinue(): void {
    if (this.ended || this.#status !== 0 || this.#continued || !this.head.expectContinue) return;
    this.#continued = true;
    this.#connection.writer.interim(CONTINUE);
  }

  /** Sends an interim response other than 100 and 101; HTTP/1.0 clients are spared. */
  sendInformational(status: number, lines: string): void {
    if (status === 100) {
      this.sendContinue();
      return;
    }
    if (this.ended || this.#status !== 0 || this.head.minorVersion === 0) return;
    this.#connection.writer.interim(`${statusLine(status)}${lines}\r\n`);
  }

  /**
   * Gives the final response's head: `lines` are whole header lines without framing and connection fields, which are
   * written here. It leaves with the first piece of body, or after the present callbacks. The body has to keep to `framing`;
   * in answers to HEAD and with 204 and 304 it is announced and then ignored.
   */
  sendHead(status: number, lines: string, framing: BodyFraming): void {
    if (this.ended || this.#status !== 0) return;
    const { writer } = this.#connection;
    writer.begin(this.#compose(status, lines, framing), this.#bodyFraming);
    writer.planFlush();
  }

  /** A piece of the response's body; false says to wait for `onDrain`. */
  write(piece: Buffer): boolean {
    if (this.ended || this.#status === 0) return true;
    try {
      const more = this.#connection.writer.write(piece);
      if (!more) this.#connection.awaitDrain();
      return more;
    } catch (error) {
      this.#misframed(error);
      return true;
    }
  }

  /** Ends the response, with an optional last piece. */
  end(piece?: Buffer, trailerLines?: string): void {
    if (this.ended || this.#status === 0) return;
    try {
      this.#connection.writer.end(piece, trailerLines);
    } catch (error) {
      this.#misframed(error);
      return;
    }
    this.#connection.completeResponse();
    this.#wakeWriters();
  }

  /** A body that missed its announced length cannot be repaired, and its writer may be in any socket's callback. */
  #misframed(error: unknown): void {
    if (!(error instanceof RangeError)) throw error;
    this.#connection.abort(error);
  }

  /** A whole response in one write. `lines` as for `sendHead`. */
  send(status: number, lines: string, body?: Buffer): void {
    if (this.ended || this.#status !== 0) return;
    const framing = body === undefined ? EMPTY_BODY : lengthFraming(body.length);
    const { writer } = this.#connection;
    writer.begin(this.#compose(status, lines, framing), this.#bodyFraming);
    writer.end(body);
    this.#connection.completeResponse();
  }

  /** Like `send`, with checked headers and a Date. */
  reply(
    status: number,
    headers: Readonly<Record<string, string>> = {},
    body?: string | Uint8Array,
  ): void {
    const bytes = body === undefined ? undefined : toBuffer(body);
    this.send(status, recordLines(headers) + this.#connection.dateLine(), bytes);
  }

  /** Starts a response of unknown length; go on with `write`, `drained` and `end`. */
  startStream(status: number, headers: Readonly<Record<string, string>> = {}): void {
    this.sendHead(status, recordLines(headers) + this.#connection.dateLine(), CHUNKED);
  }

  /** Streams a body piece by piece under back-pressure; stops asking for more when the client goes away. */
  async stream(
    status: number,
    headers: Readonly<Record<string, string>>,
    body: AsyncIterable<string | Uint8Array>,
  ): Promise<void> {
    this.startStream(status, headers);
    try {
      for await (const piece of body) {
        if (this.ended) return;
        if (!this.write(toBuffer(piece))) await this.drained();
      }
      this.end();
    } catch (error) {
      this.destroy();
      throw error;
    }
  }

  /** Resolves when more is welcome, or when the exchange ended. */
  drained(): Promise<void> {
    if (this.ended || !this.#connection.needsDrain) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drainWaiters ??= [];
      this.#drainWaiters.push(resolve);
    });
  }

  /** Reads the whole body. Rejects with `HttpProtocolError` BODY_TOO_LARGE, or with the reason of an abort. */
  readBody(limitBytes: number): Promise<Buffer> {
    if (!this.hasBody) return Promise.resolve(Buffer.alloc(0));
    return new Promise((resolve, reject) => {
      this.handler = new BufferedBody(this, limitBytes, resolve, reject);
      this.resume();
    });
  }

  /**
   * Answers 101 and hands over the socket, paused, with what was read beyond the head. The caller owns it from here: it has
   * to listen for errors and to destroy it. The server still counts the connection, and destroys it when a drain runs out.
   */
  upgrade(protocol: string, lines: string): { socket: Socket; surplus: Buffer } | undefined {
    if (this.ended || this.#status !== 0) return undefined;
    this.#status = 101;
    const upgradeLine = `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n`;
    this.#connection.writer.interim(`${statusLine(101)}${upgradeLine}${lines}\r\n`);
    return this.#connection.handOver();
  }

  /** Cuts the connection: the only way to tell a client that a response begun will not be completed. */
  destroy(): void {
    if (this.#connection.carries(this)) this.#connection.destroy();
    this.#wakeWriters();
    // Nobody else would settle its promise.
    if (this.handler instanceof BufferedBody) this.handler.onAbort(new Error('Given up'));
  }

  /** Called by the connection. */
  abortedBy(reason: Error): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#wakeWriters();
    this.handler?.onAbort(reason);
    this.#abortController?.abort();
  }

  /** Called by the connection. */
  drainedBy(): void {
    this.#wakeWriters();
    this.handler?.onDrain();
  }

  #bodyFraming: BodyFraming = NO_BODY;

  #compose(status: number, lines: string, announced: BodyFraming): string {
    this.#status = status;
    const { head } = this;
    const bodiless = head.method === 'HEAD' || isBodiless(status);
    let framing = announced;
    let framingLine = '';
    if (framing.kind === 'until-close') framing = CHUNKED;
    if (framing.kind === 'none' && !bodiless) framing = EMPTY_BODY;
    // RFC 9112 §6.1: a client of HTTP/1.0 does not know the chunked coding.
    if (framing.kind === 'chunked' && head.minorVersion === 0) framing = UNTIL_CLOSE;
    // RFC 9110 §8.6, RFC 9112 §6.1: no framing fields with 204 and 304.
    if (!isBodiless(status)) {
      if (framing.kind === 'length') framingLine = `Content-Length: ${framing.length}\r\n`;
      else if (framing.kind === 'chunked') framingLine = 'Transfer-Encoding: chunked\r\n';
    }
    this.#bodyFraming = bodiless ? NO_BODY : framing;
    this.#keepAlive = this.#bodyFraming.kind !== 'until-close' && this.#connection.mayKeepAlive();
    const connectionLine = !this.#keepAlive
      ? 'Connection: close\r\n'
      : head.minorVersion === 0
        ? 'Connection: keep-alive\r\n'
        : '';
    return `${statusLine(status)}${lines}${framingLine}${connectionLine}\r\n`;
  }

  #wakeWriters(): void {
    const waiters = this.#drainWaiters;
    this.#drainWaiters = undefined;
    if (waiters) for (const wake of waiters) wake();
  }
}

function toBuffer(data: string | Uint8Array): Buffer {
  if (typeof data === 'string') return Buffer.from(data, 'utf8');
  return Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
