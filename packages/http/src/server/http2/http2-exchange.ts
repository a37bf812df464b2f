import {
  constants,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
  type ServerStreamResponseOptions,
} from 'node:http2';
import { type BodyFraming, EMPTY_BODY, lengthFraming } from '../../message/framing.ts';
import { http2FieldLines, http2ResponseFields, http2Trailers } from '../../message/http2-lines.ts';
import type { MessageFields } from '../../message/message-fields.ts';
import type { RequestHead } from '../../message/request-head.ts';
import { isBodiless } from '../../message/response-head.ts';
import { parseTrailers } from '../../message/trailer-fields.ts';
import { HttpProtocolError } from '../../protocol/protocol-error.ts';
import { WheelTimer } from '../../time/timer-wheel.ts';
import type { ConnectionFacts } from '../connection-facts.ts';
import type { ConnectionOwner } from '../connection-owner.ts';
import { ExchangeBase } from '../exchange-base.ts';
import type { ExchangeProtocol, ServerExchange } from '../server-exchange.ts';
import { closeUnread } from './close-unread.ts';

const { NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants;

/** What an exchange needs of its HTTP/2 connection. */
export interface StreamConnection {
  readonly facts: ConnectionFacts;
  readonly owner: ConnectionOwner;
  /** The stream is gone, and its place free. */
  left(exchange: Http2Exchange): void;
  /** The client reset a stream, or made the runtime reset it. */
  resetByClient(): void;
}

/** A request on a stream of HTTP/2 and its response. */
export class Http2Exchange extends ExchangeBase implements ServerExchange {
  readonly #connection: StreamConnection;
  readonly #stream: ServerHttp2Stream;
  readonly #readTimer: WheelTimer;
  readonly #writeTimer: WheelTimer;
  #flowing = false;
  #listening = false;
  #continued = false;
  #status = 0;
  /** The head that leaves with the first piece of body; undefined before it is given and after it left. */
  #heldFields: string[] | undefined;
  #flushPlanned = false;
  #bodiless = false;
  /** What the response's body may still hold; undefined where its length was not told. */
  #remaining: number | undefined;
  #trailerLines = '';
  #writeEnded = false;
  #responseEnded = false;
  #needsDrain = false;
  #unsent = 0;
  #bodyEnded: boolean;
  #endSeen = false;
  #trailers: MessageFields | undefined;
  #windowBytes = 0;
  /** The stream ends by what we did, or by its connection's end. */
  #closedHere = false;
  #gone = false;

  /** `complete` says that no body follows. */
  constructor(
    connection: StreamConnection,
    stream: ServerHttp2Stream,
    head: RequestHead,
    complete: boolean,
  ) {
    super(head, connection.facts);
    this.#connection = connection;
    this.#stream = stream;
    this.#bodyEnded = complete || !this.hasBody;
    this.#readTimer = new WheelTimer(() => this.#onReadTimeout());
    this.#writeTimer = new WheelTimer(() => this.#onWriteTimeout());
    stream.on('close', this.#onClose);
    stream.on('drain', this.#onDrain);
    stream.on('finish', () => this.#connection.owner.wheel.disarm(this.#writeTimer));
    stream.on('wantTrailers', () => {
      if (!stream.destroyed && !stream.closed) {
        stream.sendTrailers(http2Trailers(this.#trailerLines));
      }
    });
    if (this.#bodyEnded) {
      stream.resume();
      return;
    }
    stream.on('trailers', (_trailers: IncomingHttpHeaders, _flags: number, raw?: string[]) =>
      this.#onTrailers(raw ?? []),
    );
    // The stream ends alike at END_STREAM and at RST_STREAM with NO_ERROR, and the latter may cut a body short: when the end
    // is put into the stream it is closed already in the second case only.
    const push = stream.push.bind(stream);
    stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
      if (chunk === null && !stream.closed) this.#endSeen = true;
      return push(chunk, encoding);
    };
  }

  get protocol(): ExchangeProtocol {
    return 'HTTP/2';
  }

  get status(): number {
    return this.#status;
  }

  get ended(): boolean {
    return this.aborted || this.#responseEnded;
  }

  get flowing(): boolean {
    return this.#flowing;
  }

  get awaitsContinue(): boolean {
    return this.head.expectContinue && !this.#continued;
  }

  pause(): void {
    this.#flowing = false;
    if (this.#listening && !this.#bodyEnded) this.#stream.pause();
  }

  resume(): void {
    if (this.#flowing || this.ended) return;
    this.#flowing = true;
    if (this.autoContinue && this.awaitsContinue && this.#status === 0) this.sendContinue();
    if (this.#bodyEnded) return;
    this.#startBodyWindow();
    if (this.#listening) {
      this.#stream.resume();
      return;
    }
    this.#listening = true;
    this.#stream.on('end', () => this.#onBodyEnd());
    this.#stream.on('data', (piece: Buffer) => this.#onBodyData(piece));
  }

  sendContinue(): void {
    if (this.ended || this.#status !== 0 || this.#continued || !this.head.expectContinue) return;
    this.#continued = true;
    this.#interim(100, '');
  }

  sendInformational(status: number, lines: string): void {
    if (status === 100) {
      this.sendContinue();
      return;
    }
    if (this.ended || this.#status !== 0) return;
    this.#interim(status, lines);
  }

  sendHead(status: number, lines: string, framing: BodyFraming): void {
    if (this.ended || this.#status !== 0) return;
    this.#begin(status, lines, framing);
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    process.nextTick(() => {
      if (!this.aborted) this.#respond(false);
    });
  }

  write(piece: Buffer): boolean {
    if (this.ended || this.#status === 0 || this.#bodiless || this.#writeEnded) return true;
    if (piece.length === 0) return !this.#needsDrain;
    if (this.#remaining !== undefined) {
      this.#remaining -= piece.length;
      if (this.#remaining < 0) {
        this.#misframed('longer');
        return true;
      }
    }
    // A body that is whole ends with its last piece: no empty frame has to follow. Pieces may be lent, and leave later.
    const last = this.#remaining === 0;
    if (!this.#respond(false, last)) return true;
    if (last) {
      this.#endStream(Buffer.from(piece));
      return true;
    }
    const more = this.#stream.write(Buffer.from(piece));
    if (!more) {
      this.#needsDrain = true;
      this.#watchWrites();
    }
    return more;
  }

  end(piece?: Buffer, trailerLines = ''): void {
    if (this.ended || this.#status === 0) return;
    this.#trailerLines = trailerLines;
    const last = this.#bodiless ? undefined : piece;
    if (this.#remaining !== undefined && !this.#bodiless) {
      this.#remaining -= last?.length ?? 0;
      if (this.#remaining !== 0) {
        this.#misframed(this.#remaining < 0 ? 'longer' : 'shorter');
        return;
      }
    }
    if (last !== undefined && last.length > 0) {
      if (this.#respond(false, trailerLines === '')) this.#endStream(last);
    } else if (this.#respond(trailerLines === '', false)) this.#endStream();
    this.#complete();
  }

  send(status: number, lines: string, body?: Buffer): void {
    if (this.ended || this.#status !== 0) return;
    this.#begin(status, lines, body === undefined ? EMPTY_BODY : lengthFraming(body.length));
    this.end(body);
  }

  upgrade(): undefined {
    return undefined;
  }

  destroy(): void {
    if (this.aborted) return;
    this.#reset();
    this.#responseEnded = true;
    this.wakeWriters();
    this.giveUpBody();
  }

  /** The connection is gone, or is being cut. */
  lost(reason: Error): void {
    this.#closedHere = true;
    const told = !this.ended;
    this.#leave();
    if (told) this.abortedBy(reason);
  }

  protected get needsDrain(): boolean {
    return this.#needsDrain;
  }

  protected dateLine(): string {
    return this.#connection.owner.dateLine();
  }

  #begin(status: number, lines: string, announced: BodyFraming): void {
    this.#status = status;
    const { method } = this.head;
    this.#bodiless = method === 'HEAD' || isBodiless(status);
    const framing = announced.kind === 'none' && !this.#bodiless ? EMPTY_BODY : announced;
    const length = framing.kind === 'length' ? framing.length : undefined;
    this.#remaining = length;
    // RFC 9110 §8.6: no length with 204, nor one in a 304 that is not the body's.
    this.#heldFields = http2ResponseFields(status, lines, isBodiless(status) ? undefined : length);
  }

  /** Has the head leave, if it has not; false when the stream takes nothing any more. */
  #respond(endStream: boolean, last = false): boolean {
    const fields = this.#heldFields;
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) return false;
    if (fields === undefined) return true;
    this.#heldFields = undefined;
    const alone = endStream || this.#bodiless || (this.#remaining === 0 && !last);
    const options: ServerStreamResponseOptions & { sendDate: boolean } = {
      endStream: alone,
      // Also because a stream without would end its body, as if it were whole, ahead of any reset.
      waitForTrailers: !alone && !last,
      // It is in the lines; newer than the runtime's types.
      sendDate: false,
    };
    stream.respond(fields, options);
    if (alone) this.#writeEnded = true;
    return true;
  }

  #endStream(piece?: Buffer): void {
    if (this.#writeEnded) return;
    this.#writeEnded = true;
    if (piece === undefined) this.#stream.end();
    else this.#stream.end(piece);
    if (!this.#stream.writableFinished) this.#watchWrites();
  }

  #complete(): void {
    this.#responseEnded = true;
    this.#connection.owner.wheel.disarm(this.#readTimer);
    this.wakeWriters();
    if (this.#bodyEnded) return;
    // RFC 9113 §8.1: the rest of the request is not wanted; the response gets its time to leave first.
    this.#stream.resume();
    this.#connection.owner.wheel.arm(
      this.#readTimer,
      this.#connection.owner.limits.lingerTimeoutMs,
    );
  }

  #interim(status: number, lines: string): void {
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) return;
    stream.additionalHeaders({ ':status': status, ...http2Trailers(lines) });
  }

  #onBodyData(piece: Buffer): void {
    if (this.ended) return;
    this.#windowBytes += piece.length;
    this.#guard(() => this.handler?.onBodyData(piece));
  }

  #onBodyEnd(): void {
    if (this.#bodyEnded || !this.#endSeen) return;
    this.#bodyEnded = true;
    this.#connection.owner.wheel.disarm(this.#readTimer);
    if (!this.ended) this.#guard(() => this.handler?.onBodyEnd(this.#trailers));
  }

  #onTrailers(raw: readonly string[]): void {
    try {
      const section = Buffer.from(`${http2FieldLines(raw, 0)}\r\n`, 'latin1');
      this.#trailers = parseTrailers(section, 0, this.#connection.owner.limits).trailers;
    } catch (error) {
      if (!(error instanceof HttpProtocolError)) throw error;
      this.#fault(error);
    }
  }

  /** What a handler throws costs its stream, and that alone. */
  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#connection.owner.failed(error, this);
      this.#abort(new Error('The handler failed', { cause: error }));
    }
  }

  #fault(error: HttpProtocolError): void {
    if (this.ended) return;
    if (this.#status !== 0) {
      this.#abort(error);
      return;
    }
    const { status, lines, body } = this.#connection.owner.fault(error);
    this.send(status, lines, body);
    this.abortedBy(error);
  }

  #abort(reason: Error): void {
    this.#reset();
    this.abortedBy(reason);
  }

  #reset(): void {
    this.#closedHere = true;
    this.#connection.owner.wheel.disarm(this.#readTimer);
    this.#connection.owner.wheel.disarm(this.#writeTimer);
    const stream = this.#stream;
    this.#heldFields = undefined;
    // Nobody reads what is still in it, and only a stream that was read closes.
    stream.resume();
    stream.close(NGHTTP2_INTERNAL_ERROR);
  }

  #misframed(how: 'longer' | 'shorter'): void {
    this.#abort(new RangeError(`The body is ${how} than announced`));
  }

  #startBodyWindow(): void {
    this.#windowBytes = 0;
    const { owner } = this.#connection;
    owner.wheel.arm(this.#readTimer, owner.limits.bodyWindowMs);
  }

  #onReadTimeout(): void {
    if (this.#responseEnded) {
      this.#closedHere = true;
      closeUnread(this.#stream);
      return;
    }
    if (this.#bodyEnded || this.ended) return;
    const { limits } = this.#connection.owner;
    const wanted = (limits.minBodyBytesPerSecond * limits.bodyWindowMs) / 1000;
    if (this.#flowing && this.#windowBytes < wanted) {
      this.#fault(new HttpProtocolError('BODY_TIMEOUT'));
    } else this.#startBodyWindow();
  }

  #watchWrites(): void {
    if (this.#writeTimer.armed) return;
    this.#unsent = this.#stream.bufferSize;
    const { owner } = this.#connection;
    owner.wheel.arm(this.#writeTimer, owner.limits.writeIdleTimeoutMs);
  }

  #onWriteTimeout(): void {
    const unsent = this.#stream.bufferSize;
    if (unsent === 0 || this.#stream.destroyed) return;
    if (unsent < this.#unsent) {
      this.#watchWrites();
      return;
    }
    const told = !this.ended;
    this.#reset();
    if (told) this.abortedBy(new Error('The client takes nothing of the response'));
  }

  readonly #onDrain = (): void => {
    this.#needsDrain = false;
    if (!this.#writeEnded) this.#connection.owner.wheel.disarm(this.#writeTimer);
    if (!this.ended) this.#guard(() => this.drainedBy());
  };

  readonly #onClose = (): void => {
    const whole = this.#responseEnded && this.#stream.writableFinished && this.#bodyEnded;
    this.#leave();
    const byClient = !this.#closedHere && !whole && this.#stream.rstCode !== NGHTTP2_NO_ERROR;
    if (byClient) this.#connection.resetByClient();
    if (!this.ended) this.abortedBy(new Error('The client reset the stream'));
  };

  #leave(): void {
    if (this.#gone) return;
    this.#gone = true;
    const { wheel } = this.#connection.owner;
    wheel.disarm(this.#readTimer);
    wheel.disarm(this.#writeTimer);
    this.#connection.left(this);
  }
}
