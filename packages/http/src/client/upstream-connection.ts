import type { Socket } from 'node:net';
import { BodyDecoder } from '../message/body-decoder.ts';
import type { ChunkedLimits } from '../message/chunked-decoder.ts';
import type { BodyFraming } from '../message/framing.ts';
import { HeadReader } from '../message/head-reader.ts';
import { MessageWriter } from '../message/message-writer.ts';
import type { HeadLimits } from '../message/request-head.ts';
import { parseResponseHead, type ResponseHead } from '../message/response-head.ts';
import { HttpProtocolError } from '../protocol/protocol-error.ts';
import { type TimerWheel, WheelTimer } from '../time/timer-wheel.ts';
import { type PieceTaker, takePieces } from '../transport/socket-reader.ts';
import { UpstreamError, type UpstreamErrorCode } from './upstream-error.ts';
import type { ExchangeCarrier, UpstreamExchange } from './upstream-exchange.ts';

export interface UpstreamLimits extends HeadLimits, ChunkedLimits {
  /** Interim responses before a final one. Default 8. */
  readonly maxInformational: number;
  /** An idle connection is closed after this; below Node's 5 s, the shortest of common upstreams. Default 4 s. */
  readonly idleTimeoutMs: number;
  /** Nothing read or written for this long during an exchange ends it. Default 60 s. */
  readonly exchangeIdleTimeoutMs: number;
}

/** What a connection needs of its pool. */
export interface UpstreamOwner {
  readonly limits: UpstreamLimits;
  readonly wheel: TimerWheel;
  /** Free for the next exchange. */
  released(connection: UpstreamConnection): void;
  /** Connected sockets end here; an upgraded one when it is handed over. */
  closed(connection: UpstreamConnection): void;
}

/** One connection to an upstream: strictly one exchange at a time, closed at the first byte nobody asked for. */
export class UpstreamConnection implements ExchangeCarrier, PieceTaker {
  readonly #socket: Socket;
  readonly #owner: UpstreamOwner;
  readonly #writer: MessageWriter;
  readonly #decoder: BodyDecoder;
  readonly #heads: HeadReader<ResponseHead>;
  readonly #timer: WheelTimer;
  readonly #leaveReads: () => void;
  #exchange: UpstreamExchange | undefined;
  #head: ResponseHead | undefined;
  #interim = 0;
  #flowing = true;
  #served = 0;
  #gone = false;

  constructor(socket: Socket, owner: UpstreamOwner) {
    this.#socket = socket;
    this.#owner = owner;
    this.#writer = new MessageWriter(socket);
    this.#decoder = new BodyDecoder(owner.limits);
    this.#heads = new HeadReader({
      parse: (bytes, start, end) => {
        const toHead = this.#exchange?.method === 'HEAD';
        return parseResponseHead(bytes, start, end, owner.limits, toHead);
      },
      headBytes: owner.limits.headBytes,
      skipsBlankLine: false,
    });
    this.#timer = new WheelTimer(() => this.#onTimeout());
    this.#leaveReads = takePieces(socket, this);
    socket.on('end', this.#onEnd);
    socket.on('drain', this.#onDrain);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
  }

  get usable(): boolean {
    return !this.#gone && !this.#socket.destroyed && this.#socket.readable;
  }

  /** Starts the exchange. */
  carry(exchange: UpstreamExchange): void {
    this.#exchange = exchange;
    this.#head = undefined;
    this.#interim = 0;
    this.#flowing = true;
    this.#owner.wheel.arm(this.#timer, this.#owner.limits.exchangeIdleTimeoutMs);
    exchange.attach(this, this.#served > 0);
  }

  park(): void {
    this.#owner.wheel.arm(this.#timer, this.#owner.limits.idleTimeoutMs);
  }

  send(
    exchange: UpstreamExchange,
    method: string,
    target: string,
    lines: string,
    framing: BodyFraming,
    upgrade: string | undefined,
  ): void {
    if (exchange !== this.#exchange) return;
    let framingLine = '';
    if (framing.kind === 'length') framingLine = `Content-Length: ${framing.length}\r\n`;
    else if (framing.kind === 'chunked') framingLine = 'Transfer-Encoding: chunked\r\n';
    if (upgrade !== undefined) framingLine += `Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n`;
    exchange.requestStarted = true;
    this.#writer.begin(`${method} ${target} HTTP/1.1\r\n${lines}${framingLine}\r\n`, framing);
    const bodiless = framing.kind === 'none' || (framing.kind === 'length' && framing.length === 0);
    if (bodiless) this.#writer.end();
    else this.#writer.planFlush();
  }

  write(piece: Buffer): boolean {
    this.#touch();
    try {
      return this.#writer.write(piece);
    } catch (error) {
      this.#misframed(error);
      return true;
    }
  }

  end(piece?: Buffer, trailerLines?: string): void {
    this.#touch();
    try {
      this.#writer.end(piece, trailerLines);
    } catch (error) {
      this.#misframed(error);
    }
  }

  setFlowing(flowing: boolean): void {
    if (flowing === this.#flowing) return;
    this.#flowing = flowing;
    if (flowing) {
      this.#touch();
      this.#socket.resume();
    } else this.#socket.pause();
  }

  destroy(): void {
    this.#exchange = undefined;
    this.#socket.destroy();
    this.#leave();
  }

  onBodyData(piece: Buffer): void {
    this.#exchange?.handler.onData(piece);
  }

  takePiece(piece: Buffer): void {
    const exchange = this.#exchange;
    // A byte nobody asked for would be taken for the next request's answer (response-queue poisoning).
    if (exchange === undefined || !exchange.requestStarted) {
      this.#poisoned();
      return;
    }
    exchange.responseStarted = true;
    this.#touch();
    try {
      this.#read(piece, exchange);
    } catch (error) {
      if (!(error instanceof HttpProtocolError)) {
        this.destroy();
        throw error;
      }
      this.#fail('RESPONSE_MALFORMED', error.message, error);
    }
  }

  #poisoned(): void {
    const exchange = this.#exchange;
    this.destroy();
    exchange?.fail(
      new UpstreamError('CLOSED_BEFORE_RESPONSE', 'The upstream sent bytes before the request'),
    );
  }

  #read(piece: Buffer, exchange: UpstreamExchange): void {
    let at = 0;
    while (this.#head === undefined) {
      if (at >= piece.length) return;
      const head = this.#heads.read(piece, at);
      at = this.#heads.position;
      if (head === undefined) return;
      if (head.status === 101) {
        this.#switch(head, exchange, Buffer.from(piece.subarray(at)));
        return;
      }
      if (head.status < 200) {
        if (++this.#interim > this.#owner.limits.maxInformational) {
          throw new HttpProtocolError('TOO_MANY_INFORMATIONAL');
        }
        exchange.handler.onInformational(head);
      } else {
        this.#head = head;
        this.#decoder.start(head.framing);
        exchange.handler.onHead(head);
      }
      if (this.#exchange !== exchange) return;
    }
    if (!this.#decoder.done) at = this.#decoder.push(piece, at, this);
    if (this.#exchange === exchange && this.#decoder.done)
      this.#complete(exchange, at < piece.length);
  }

  #complete(exchange: UpstreamExchange, surplus: boolean): void {
    const { trailers } = this.#decoder;
    const reusable =
      this.#head?.keepAlive === true && !surplus && this.#writer.ended && this.usable;
    this.#exchange = undefined;
    this.#served++;
    exchange.finish();
    if (reusable) {
      if (!this.#flowing) this.#socket.resume();
      // Before the handler hears of the end, so that what it starts next may find this connection.
      this.#owner.released(this);
    } else this.destroy();
    exchange.handler.onEnd(trailers);
  }

  #switch(head: ResponseHead, exchange: UpstreamExchange, surplus: Buffer): void {
    if (!exchange.upgrading) throw new HttpProtocolError('SWITCH_UNASKED');
    const socket = this.#socket;
    this.#leaveReads();
    socket.off('end', this.#onEnd);
    socket.off('drain', this.#onDrain);
    socket.off('error', this.#onError);
    socket.off('close', this.#onClose);
    socket.pause();
    this.#exchange = undefined;
    this.#leave();
    exchange.finish();
    exchange.handler.onUpgrade(head, socket, surplus);
  }

  #touch(): void {
    this.#owner.wheel.arm(this.#timer, this.#owner.limits.exchangeIdleTimeoutMs);
  }

  #onTimeout(): void {
    if (this.#exchange === undefined) this.destroy();
    else if (!this.#flowing) this.#touch();
    else this.#fail('IDLE_TIMEOUT', 'The upstream was silent for too long');
  }

  #fail(code: UpstreamErrorCode, message: string, cause?: unknown): void {
    const exchange = this.#exchange;
    this.destroy();
    const protocolCode = cause instanceof HttpProtocolError ? { protocolCode: cause.code } : {};
    exchange?.fail(new UpstreamError(code, message, { cause, ...protocolCode }));
  }

  /** The request missed its announced length: what went out cannot be repaired, and its writer may be in any callback. */
  #misframed(error: unknown): void {
    if (!(error instanceof RangeError)) throw error;
    this.#broke(error);
  }

  #broke(cause?: unknown): void {
    if (this.#exchange?.responseStarted === true) {
      this.#fail('RESPONSE_TRUNCATED', 'The upstream closed within the response', cause);
    } else this.#fail('CLOSED_BEFORE_RESPONSE', 'The upstream closed before a response', cause);
  }

  readonly #onEnd = (): void => {
    const exchange = this.#exchange;
    const untilClose = this.#head !== undefined && this.#decoder.kind === 'until-close';
    if (exchange !== undefined && untilClose) {
      this.#decoder.done = true;
      this.#complete(exchange, false);
      return;
    }
    const fault = this.#heads.gathering ? this.#heads.fault() : undefined;
    if (fault === undefined) this.#broke();
    else this.#fail('RESPONSE_MALFORMED', fault.message, fault);
  };

  readonly #onDrain = (): void => {
    if (this.#exchange === undefined) return;
    this.#touch();
    this.#exchange.handler.onDrain();
  };

  readonly #onError = (error: Error): void => {
    this.#broke(error);
  };

  readonly #onClose = (): void => {
    this.#broke();
  };

  #leave(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#owner.wheel.disarm(this.#timer);
    this.#owner.closed(this);
  }
}
