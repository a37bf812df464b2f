import type { Socket } from 'node:net';
import { BodyDecoder } from '../message/body-decoder.ts';
import { HeadReader } from '../message/head-reader.ts';
import { MessageWriter } from '../message/message-writer.ts';
import { parseRequestHead, type RequestHead } from '../message/request-head.ts';
import { HttpProtocolError } from '../protocol/protocol-error.ts';
import { WheelTimer } from '../time/timer-wheel.ts';
import type { KeptPiece } from '../transport/kept-piece.ts';
import { type PieceTaker, takePieces } from '../transport/socket-reader.ts';
import { closingReply } from './closing-reply.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import type { ConnectionOwner, OwnedConnection } from './connection-owner.ts';
import type { ExchangeConnection } from './exchange-connection.ts';
import { HeldPieces } from './held-pieces.ts';
import { Http1Exchange } from './http1-exchange.ts';
import { PrefaceReader } from './http2/preface-reader.ts';
import { WriteWatch } from './write-watch.ts';

type Phase = 'idle' | 'head' | 'exchange' | 'lingering' | 'upgraded' | 'closed';

const MAX_HELD_PIECES = 64;
const MAX_LINGER_BYTES = 1_048_576;

/** One client connection: strictly one exchange at a time, its bytes taken only when they are wanted. */
export class ServerConnection implements ExchangeConnection, OwnedConnection, PieceTaker {
  readonly remoteAddress: string;
  readonly facts: ConnectionFacts;
  readonly writer: MessageWriter;
  responseEnded = false;
  readonly #socket: Socket;
  readonly #owner: ConnectionOwner;
  readonly #decoder: BodyDecoder;
  readonly #heads: HeadReader<RequestHead>;
  readonly #readTimer: WheelTimer;
  readonly #writeWatch: WriteWatch;
  readonly #leaveReads: () => void;
  #phase: Phase = 'idle';
  #preface: PrefaceReader | undefined;
  #exchange: Http1Exchange | undefined;
  readonly #held = new HeldPieces();
  #processing = false;
  /** What the piece now being processed is kept in; undefined: it is overwritten afterwards. */
  #kept: KeptPiece | undefined;
  #inputEnded = false;
  #discarding = false;
  /** Body bytes since the data-rate window began; also what was read away after a response. */
  #windowBytes = 0;
  #unreadBytes = 0;

  constructor(socket: Socket, owner: ConnectionOwner, facts: ConnectionFacts) {
    this.#socket = socket;
    this.#owner = owner;
    this.facts = facts;
    this.remoteAddress = facts.remoteAddress;
    this.writer = new MessageWriter(socket);
    if (owner.http2 && facts.tls === undefined) this.#preface = new PrefaceReader();
    this.#decoder = new BodyDecoder(owner.limits);
    this.#heads = new HeadReader({
      parse: (bytes, start, end) => parseRequestHead(bytes, start, end, owner.limits),
      headBytes: owner.limits.headBytes,
      skipsBlankLine: true,
    });
    this.#readTimer = new WheelTimer(() => this.#onReadTimeout());
    this.#writeWatch = new WriteWatch(
      socket,
      this.writer,
      owner.wheel,
      owner.limits.writeIdleTimeoutMs,
      () => this.abort(new Error('The client takes nothing of the response')),
    );
    this.#leaveReads = takePieces(socket, this);
    this.writer.onUnsent = () => this.awaitDrain();
    socket.on('end', this.#onEnd);
    socket.on('drain', this.#onDrain);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
    owner.wheel.arm(this.#readTimer, owner.limits.headTimeoutMs);
  }

  /** Whether an exchange or a head is under way. */
  get busy(): boolean {
    return this.#phase !== 'idle';
  }

  get needsDrain(): boolean {
    return this.writer.needsDrain;
  }

  carries(exchange: object): boolean {
    return this.#exchange === exchange;
  }

  mayKeepAlive(): boolean {
    const exchange = this.#exchange;
    if (exchange === undefined || this.#owner.draining || this.#atLastRequest) return false;
    if (!exchange.head.keepAlive) return false;
    if (this.#decoder.done || exchange.flowing) return true;
    // Nobody may ever read this body: keep the connection only when reading it away is cheap and certain.
    const { framing } = exchange.head;
    return (
      !exchange.awaitsContinue &&
      framing.kind === 'length' &&
      framing.length <= this.#owner.limits.unreadBodyBytes
    );
  }

  /** The client closed its side, and nothing it sent before is left. */
  get #atLastRequest(): boolean {
    if (!this.#inputEnded || this.#held.bytes > 0) return false;
    return this.#piece === undefined || this.#at >= this.#piece.length;
  }

  dateLine(): string {
    return this.#owner.dateLine();
  }

  continueBody(): void {
    if (this.#decoder.done) return;
    this.#startBodyWindow();
    this.#release();
  }

  awaitDrain(): void {
    this.#writeWatch.start();
  }

  completeResponse(): void {
    this.responseEnded = true;
    if (this.writer.unsentBytes > 0) this.awaitDrain();
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    if (!this.#decoder.done) {
      if (!exchange.keepAlive) {
        this.#linger();
        return;
      }
      this.#discarding = true;
      this.#startBodyWindow();
      this.#release();
      return;
    }
    this.#finishExchange(exchange.keepAlive);
  }

  handOver(): { socket: Socket; surplus: Buffer } {
    this.#phase = 'upgraded';
    this.#exchange = undefined;
    this.#leaveSocket();
    this.#socket.pause();
    // What belongs to the chunk now being read is held only when `#process` returns, so it is taken here.
    const surplus = Buffer.concat([this.#unprocessed(), this.#held.drain()]);
    return { socket: this.#socket, surplus };
  }

  /** Ends the connection when it is idle; else it ends after its exchange. */
  drain(): void {
    if (this.#phase === 'idle') this.#linger();
  }

  destroy(): void {
    this.#socket.destroy();
    // Not left to the close event: whoever destroyed it must not hear of it later.
    this.#exchange = undefined;
  }

  /** Like `destroy`, but the exchange is told. */
  abort(reason: Error): void {
    const exchange = this.#exchange;
    this.destroy();
    exchange?.abortedBy(reason);
  }

  // The piece being processed and how far it is read; fields, so that a hand-over in a callback finds the rest.
  #piece: Buffer | undefined;
  #at = 0;

  #unprocessed(): Buffer {
    const rest = this.#piece?.subarray(this.#at) ?? EMPTY;
    this.#piece = undefined;
    return rest;
  }

  takePiece(piece: Buffer): void {
    if (this.#preface !== undefined) {
      this.#readPreface(this.#preface, piece);
      return;
    }
    if (this.#phase === 'lingering') {
      this.#unreadBytes += piece.length;
      if (this.#unreadBytes > MAX_LINGER_BYTES) this.#socket.destroy();
      return;
    }
    if (this.#held.count > 0 || this.#processing) this.#hold(piece);
    else this.#process(piece, 0, undefined);
  }

  #readPreface(preface: PrefaceReader, piece: Buffer): void {
    const opening = preface.read(piece);
    if (opening === undefined) {
      this.#phase = 'head';
      return;
    }
    this.#preface = undefined;
    this.#phase = 'idle';
    if (preface.found) this.#turnToHttp2(opening);
    else this.takePiece(opening);
  }

  #turnToHttp2(opening: Buffer): void {
    this.#leaveSocket();
    this.#socket.off('error', this.#onError).off('close', this.#onClose);
    this.#phase = 'closed';
    if (this.#socket.readableFlowing) this.#socket.pause();
    this.#socket.unshift(Buffer.from(opening));
    this.#owner.speaksHttp2(this, this.#socket, this.facts);
  }

  #leaveSocket(): void {
    this.#owner.wheel.disarm(this.#readTimer);
    this.#writeWatch.stop();
    this.#leaveReads();
    this.#socket.off('end', this.#onEnd);
    this.#socket.off('drain', this.#onDrain);
  }

  /** True when the piece is through. */
  #process(piece: Buffer, from: number, kept: KeptPiece | undefined): boolean {
    this.#processing = true;
    this.#piece = piece;
    this.#kept = kept;
    this.#at = from;
    try {
      while (this.#piece !== undefined && this.#at < piece.length && this.#step(piece));
    } catch (error) {
      this.#piece = undefined;
      if (error instanceof HttpProtocolError) this.#fault(error);
      else {
        this.#owner.failed(error, this.#exchange);
        this.abort(new Error('The handler failed', { cause: error }));
      }
      kept?.release();
      return false;
    } finally {
      this.#processing = false;
      this.#kept = undefined;
    }
    const left = this.#piece !== undefined && this.#at < piece.length;
    this.#piece = undefined;
    const waits = left && this.#phase !== 'lingering' && !this.#socket.destroyed;
    if (!waits) kept?.release();
    else if (kept === undefined) this.#hold(piece.subarray(this.#at));
    else this.#held.putBack(kept, this.#at);
    if (this.#inputEnded) this.#endInput();
    return !waits;
  }

  /** Takes one step through the piece; false when the rest has to wait. */
  #step(piece: Buffer): boolean {
    if (this.#socket.destroyed) return false;
    if (this.#phase === 'idle' || this.#phase === 'head') {
      if (this.writer.needsDrain) return false;
      this.#readHead(piece);
      return true;
    }
    if (this.#phase !== 'exchange' || this.#decoder.done) return false;
    if (!this.#discarding && this.#exchange?.flowing !== true) return false;
    this.#at = this.#decoder.push(piece, this.#at, this);
    if (this.#decoder.done && this.#phase === 'exchange') this.#endBody();
    return true;
  }

  onBodyData(piece: Buffer): void {
    this.#windowBytes += piece.length;
    if (!this.#discarding) {
      this.#exchange?.handler?.onBodyData(piece, this.#kept);
      return;
    }
    this.#unreadBytes += piece.length;
    if (this.#unreadBytes > this.#owner.limits.unreadBodyBytes) this.#linger();
  }

  #endBody(): void {
    const exchange = this.#exchange;
    this.#owner.wheel.disarm(this.#readTimer);
    if (exchange === undefined) return;
    if (this.responseEnded) this.#finishExchange(exchange.keepAlive);
    else exchange.handler?.onBodyEnd(this.#decoder.trailers);
  }

  #readHead(piece: Buffer): void {
    const head = this.#heads.read(piece, this.#at);
    this.#at = this.#heads.position;
    if (head !== undefined) {
      this.#beginExchange(head);
      return;
    }
    const wasIdle = this.#phase === 'idle';
    this.#phase = this.#heads.gathering ? 'head' : 'idle';
    if (wasIdle && this.#phase === 'head') {
      this.#owner.wheel.arm(this.#readTimer, this.#owner.limits.headTimeoutMs);
    }
  }

  #beginExchange(head: RequestHead): void {
    this.#phase = 'exchange';
    this.responseEnded = false;
    this.#discarding = false;
    this.#unreadBytes = 0;
    this.#decoder.start(head.framing);
    this.#owner.wheel.disarm(this.#readTimer);
    const exchange = new Http1Exchange(this, head);
    this.#exchange = exchange;
    this.#owner.begin(exchange);
  }

  #finishExchange(keepAlive: boolean): void {
    this.#exchange = undefined;
    if (!keepAlive || this.#owner.draining || this.#atLastRequest) {
      this.#linger();
      return;
    }
    this.#phase = 'idle';
    this.#owner.wheel.arm(this.#readTimer, this.#owner.limits.idleTimeoutMs);
    if (this.#held.bytes > 0) this.#release();
  }

  #hold(piece: Buffer): void {
    this.#held.add(piece);
    const { heldBytes } = this.#owner.limits;
    if (this.#held.bytes > heldBytes || this.#held.count > MAX_HELD_PIECES) this.#socket.pause();
  }

  /** Goes on with what was held, or once the present piece is through. */
  #release(): void {
    if (this.#processing || this.#socket.destroyed) return;
    for (let next = this.#held.take(); next !== undefined; next = this.#held.take()) {
      const { kept, from } = next;
      if (!this.#process(kept.bytes, from, kept)) break;
    }
    if (this.#held.count === 0 && this.#socket.isPaused() && this.#phase !== 'upgraded') {
      this.#socket.resume();
    }
  }

  #startBodyWindow(): void {
    this.#windowBytes = 0;
    this.#owner.wheel.arm(this.#readTimer, this.#owner.limits.bodyWindowMs);
  }

  #onReadTimeout(): void {
    if (this.#phase === 'head') this.#fault(new HttpProtocolError('HEAD_TIMEOUT'));
    else if (this.#phase === 'idle') this.#linger();
    else if (this.#phase === 'lingering') this.#endLinger();
    else if (this.#phase === 'exchange') this.#checkExchange();
  }

  #checkExchange(): void {
    if (this.#inputEnded) {
      this.abort(new HttpProtocolError('BODY_TRUNCATED'));
      return;
    }
    if (this.#decoder.done) return;
    const { limits } = this.#owner;
    const wanted = (limits.minBodyBytesPerSecond * limits.bodyWindowMs) / 1000;
    const reading = this.#discarding || this.#exchange?.flowing === true;
    if (reading && this.#windowBytes < wanted) this.#fault(new HttpProtocolError('BODY_TIMEOUT'));
    else this.#startBodyWindow();
  }

  readonly #onDrain = (): void => {
    this.#writeWatch.stop();
    if (this.#phase === 'exchange' && !this.responseEnded) this.#exchange?.drainedBy();
    else if (this.#phase === 'idle' || this.#phase === 'head') this.#release();
  };

  readonly #onEnd = (): void => {
    this.#inputEnded = true;
    if (!this.#processing) this.#endInput();
  };

  #endInput(): void {
    if (this.#socket.destroyed) return;
    if (this.#phase === 'exchange' && this.#decoder.done) {
      // The client may have closed only its side: the response is still owed, but not for long.
      this.#owner.wheel.arm(this.#readTimer, this.#owner.limits.halfCloseTimeoutMs);
    } else if (this.#phase === 'lingering') this.#socket.destroySoon();
    else if (this.#held.count > 0) return;
    else if (this.#phase === 'head') {
      this.#fault(this.#heads.fault() ?? new HttpProtocolError('HEAD_TRUNCATED'));
    } else if (this.#phase === 'idle') this.#linger();
    else if (this.#phase === 'exchange') {
      if (this.#discarding) this.#linger();
      else this.abort(new HttpProtocolError('BODY_TRUNCATED'));
    }
  }

  readonly #onError = (error: Error): void => {
    this.abort(error);
  };

  readonly #onClose = (): void => {
    this.#phase = 'closed';
    this.#owner.wheel.disarm(this.#readTimer);
    this.#writeWatch.stop();
    this.#held.clear();
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#owner.closed(this);
    exchange?.abortedBy(new Error('The client closed the connection'));
  };

  #fault(error: HttpProtocolError): void {
    if (this.#phase === 'lingering' || this.#phase === 'closed') return;
    const exchange = this.#exchange;
    if (exchange === undefined ? this.#socket.destroyed : exchange.status !== 0) {
      this.abort(error);
      return;
    }
    this.#exchange = undefined;
    this.writer.interim(closingReply(this.#owner.fault(error)));
    this.#linger();
    exchange?.abortedBy(error);
  }

  /** Ends our side, and reads on for a moment: data unread at a close would reset the reply away (RFC 9112 §9.6). */
  #linger(): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    if (exchange !== undefined) this.responseEnded = true;
    this.#phase = 'lingering';
    this.#held.clear();
    this.#unreadBytes = 0;
    this.writer.settle();
    this.#socket.end();
    if (this.#socket.isPaused()) this.#socket.resume();
    this.#owner.wheel.arm(this.#readTimer, this.#owner.limits.lingerTimeoutMs);
    if (this.#inputEnded) this.#socket.destroySoon();
  }

  /** A client that still takes its response gets the whole of it; the write timer cuts off one that does not. */
  #endLinger(): void {
    if (this.writer.unsentBytes === 0) this.#socket.destroy();
    else this.#owner.wheel.arm(this.#readTimer, this.#owner.limits.lingerTimeoutMs);
  }
}

const EMPTY = Buffer.alloc(0);
