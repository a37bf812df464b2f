import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  sensitiveHeaders,
} from 'node:http2';
import type { BodyFraming } from '../message/framing.ts';
import {
  http2FieldLines,
  http2RequestFields,
  http2ResponseText,
  http2Trailers,
} from '../message/http2-lines.ts';
import type { MessageFields } from '../message/message-fields.ts';
import { parseResponseHead, type ResponseHead } from '../message/response-head.ts';
import { parseTrailers } from '../message/trailer-fields.ts';
import { HttpProtocolError } from '../protocol/protocol-error.ts';
import { type TimerWheel, WheelTimer } from '../time/timer-wheel.ts';
import type { UpstreamLimits } from './upstream-connection.ts';
import { UpstreamError, type UpstreamErrorCode } from './upstream-error.ts';
import type { ExchangeCarrier, UpstreamExchange } from './upstream-exchange.ts';

const {
  NGHTTP2_CANCEL,
  NGHTTP2_ENHANCE_YOUR_CALM,
  NGHTTP2_FLAG_END_STREAM,
  NGHTTP2_PROTOCOL_ERROR,
  NGHTTP2_REFUSED_STREAM,
} = constants;

/** Resets, by either side, of what would go wrong in the same way again. The runtime answers too large a head with the latter. */
const FAULTS = new Set<number>([NGHTTP2_PROTOCOL_ERROR, NGHTTP2_ENHANCE_YOUR_CALM]);

/** What a stream needs of its connection. */
export interface StreamOwner {
  readonly session: ClientHttp2Session;
  readonly secure: boolean;
  readonly limits: UpstreamLimits;
  readonly wheel: TimerWheel;
  /** The last stream the peer is going to work on. */
  readonly lastStreamId: number;
  /** The peer gave a sign of life. */
  heard(): void;
  /** The stream is gone, and its place free. */
  left(stream: Http2Stream): void;
}

/**
 * RFC 7541 §7.1.3: never put into a compression table, which the requests of all clients share here: whoever can see lengths
 * on the wire could otherwise guess at them.
 */
const NEVER_INDEXED = ['authorization', 'cookie', 'proxy-authorization'];

/** One exchange on one stream of an HTTP/2 connection. */
export class Http2Stream implements ExchangeCarrier {
  readonly #owner: StreamOwner;
  readonly #exchange: UpstreamExchange;
  readonly #timer: WheelTimer;
  #stream: ClientHttp2Stream | undefined;
  #head: ResponseHead | undefined;
  #trailers: MessageFields | undefined;
  #trailerLines = '';
  #interim = 0;
  /** What the request's body may still hold; undefined where its length was not told. */
  #unsent: number | undefined;
  #endSeen = false;
  #flowing = true;
  /** Nothing more is told to the exchange. */
  #over = false;
  #gone = false;

  constructor(owner: StreamOwner, exchange: UpstreamExchange) {
    this.#owner = owner;
    this.#exchange = exchange;
    this.#timer = new WheelTimer(() => this.#onTimeout());
  }

  send(
    exchange: UpstreamExchange,
    method: string,
    target: string,
    lines: string,
    framing: BodyFraming,
    upgrade: string | undefined,
  ): void {
    if (exchange !== this.#exchange || this.#over || this.#stream !== undefined) return;
    if (upgrade !== undefined) {
      this.#fail('UPGRADE_UNSUPPORTED', 'HTTP/2 connections do not switch protocols');
      return;
    }
    const { session, secure } = this.#owner;
    const scheme = secure ? 'https' : 'http';
    const length = framing.kind === 'length' ? framing.length : undefined;
    const fields = http2RequestFields({ method, scheme, target }, lines, length);
    const endStream = framing.kind === 'none' || length === 0;
    try {
      this.#stream = session.request(Object.assign(fields, { [sensitiveHeaders]: NEVER_INDEXED }), {
        endStream,
        // Also because a stream without would end its body, as if it were whole, ahead of any reset.
        waitForTrailers: !endStream,
      });
    } catch (cause) {
      // The session ended in this very turn.
      this.#fail('STREAM_REFUSED', 'The upstream takes no more streams here', cause);
      return;
    }
    exchange.requestStarted = true;
    this.#unsent = length;
    this.#listen(this.#stream);
    this.#touch();
  }

  write(piece: Buffer): boolean {
    const stream = this.#stream;
    if (stream === undefined || this.#over) return true;
    this.#touch();
    if (this.#unsent !== undefined) {
      this.#unsent -= piece.length;
      if (this.#unsent < 0) {
        this.#misframed();
        return true;
      }
    }
    // The piece may be lent, and the stream sends it later.
    return stream.write(Buffer.from(piece));
  }

  end(piece?: Buffer, trailerLines = ''): void {
    if (piece !== undefined) this.write(piece);
    if (this.#stream === undefined || this.#over) return;
    if (this.#unsent !== undefined && this.#unsent > 0) {
      this.#misframed();
      return;
    }
    this.#touch();
    this.#trailerLines = trailerLines;
    this.#stream.end();
  }

  setFlowing(flowing: boolean): void {
    if (flowing === this.#flowing) return;
    this.#flowing = flowing;
    if (this.#stream === undefined || this.#head === undefined) return;
    if (flowing) {
      this.#touch();
      this.#stream.resume();
    } else this.#stream.pause();
  }

  destroy(): void {
    this.#finish();
    this.#cancel();
  }

  /** The connection is gone. */
  lost(cause: unknown): void {
    if (!this.#over) this.#broke(cause);
    this.#leave();
  }

  #listen(stream: ClientHttp2Stream): void {
    // Told by 'close', which comes after everything that had arrived was read.
    stream.on('error', () => undefined);
    stream.on('headers', (_headers, _flags, raw?: string[]) => this.#onInterim(raw ?? []));
    stream.on('response', (_headers, flags, raw?: string[]) => this.#onHead(flags, raw ?? []));
    stream.on('trailers', (_trailers: IncomingHttpHeaders, _flags: number, raw?: string[]) =>
      this.#onTrailers(raw ?? []),
    );
    stream.on('drain', () => {
      if (this.#over) return;
      this.#touch();
      this.#exchange.handler.onDrain();
    });
    stream.on('wantTrailers', () => {
      if (!stream.destroyed && !stream.closed)
        stream.sendTrailers(http2Trailers(this.#trailerLines));
    });
    stream.on('end', () => this.#onEnd());
    stream.on('close', () => this.#onClose());
    // The stream ends alike at END_STREAM and at RST_STREAM with NO_ERROR, and the latter may cut a body short: when the end
    // is put into the stream it is closed already in the second case only.
    const push = stream.push.bind(stream);
    stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
      if (chunk === null && !stream.closed) this.#endSeen = true;
      return push(chunk, encoding);
    };
  }

  #onInterim(raw: readonly string[]): void {
    if (this.#over) return;
    this.#exchange.responseStarted = true;
    this.#touch();
    this.#guard(() => {
      const head = this.#parse(raw, false);
      if (++this.#interim > this.#owner.limits.maxInformational) {
        throw new HttpProtocolError('TOO_MANY_INFORMATIONAL');
      }
      this.#exchange.handler.onInformational(head);
    });
  }

  #onHead(flags: number, raw: readonly string[]): void {
    if (this.#over) return;
    this.#exchange.responseStarted = true;
    this.#touch();
    const stream = this.#stream;
    this.#guard(() => {
      this.#head = this.#parse(raw, (flags & NGHTTP2_FLAG_END_STREAM) !== 0);
      this.#exchange.handler.onHead(this.#head);
    });
    if (stream === undefined || this.#over) return;
    stream.on('data', (piece: Buffer) => {
      if (this.#over) return;
      this.#touch();
      this.#exchange.handler.onData(piece);
    });
    if (!this.#flowing) stream.pause();
  }

  #parse(raw: readonly string[], complete: boolean): ResponseHead {
    const toHead = this.#exchange.method === 'HEAD';
    const bytes = Buffer.from(http2ResponseText(raw, complete, toHead), 'latin1');
    const head = parseResponseHead(bytes, 0, bytes.length, this.#owner.limits, toHead);
    if (head === undefined) throw new HttpProtocolError('HEAD_TOO_LARGE');
    return head;
  }

  #onTrailers(raw: readonly string[]): void {
    if (this.#over) return;
    this.#guard(() => {
      const section = Buffer.from(`${http2FieldLines(raw, 0)}\r\n`, 'latin1');
      this.#trailers = parseTrailers(section, 0, this.#owner.limits).trailers;
    });
  }

  /** What breaks a rule ends the stream, and that alone. */
  #guard(read: () => void): void {
    try {
      read();
    } catch (error) {
      this.#cancel();
      if (!(error instanceof HttpProtocolError)) throw error;
      this.#fail('RESPONSE_MALFORMED', error.message, error);
    }
  }

  #onEnd(): void {
    if (this.#over) return;
    if (this.#head === undefined || !this.#endSeen) {
      this.#broke(undefined);
      return;
    }
    this.#finish();
    this.#exchange.finish();
    // RFC 9113 §8.1: an answer that did not need the whole request.
    if (this.#stream?.writableEnded === false) this.#cancel();
    this.#exchange.handler.onEnd(this.#trailers);
  }

  #onClose(): void {
    this.#leave();
    if (this.#over) return;
    const stream = this.#stream;
    // RFC 9113 §8.7: both say that nothing was worked on.
    const passedOver = (stream?.id ?? 0) > this.#owner.lastStreamId;
    const refused = stream?.rstCode === NGHTTP2_REFUSED_STREAM;
    if ((passedOver || refused) && !this.#exchange.responseStarted) {
      this.#fail('STREAM_REFUSED', 'The upstream refused the stream');
    } else if (
      this.#head === undefined &&
      !this.#owner.session.destroyed &&
      FAULTS.has(stream?.rstCode ?? 0)
    ) {
      this.#fail('RESPONSE_MALFORMED', 'The stream was reset for a fault of one of its sides');
    } else this.#broke(undefined);
  }

  #broke(cause: unknown): void {
    if (this.#exchange.responseStarted) {
      this.#fail('RESPONSE_TRUNCATED', 'The upstream ended the stream within the response', cause);
    } else {
      this.#fail(
        'CLOSED_BEFORE_RESPONSE',
        'The upstream ended the stream before a response',
        cause,
      );
    }
  }

  #misframed(): void {
    this.#cancel();
    this.#broke(new RangeError('The body does not keep to the announced length'));
  }

  #fail(code: UpstreamErrorCode, message: string, cause?: unknown): void {
    this.#finish();
    if (this.#stream === undefined) this.#leave();
    const protocolCode = cause instanceof HttpProtocolError ? { protocolCode: cause.code } : {};
    this.#exchange.fail(new UpstreamError(code, message, { cause, ...protocolCode }));
  }

  #cancel(): void {
    const stream = this.#stream;
    if (stream === undefined) this.#leave();
    else {
      // Nobody reads what is still in it, and only a stream that was read closes.
      stream.resume();
      stream.close(NGHTTP2_CANCEL);
    }
  }

  #touch(): void {
    this.#owner.heard();
    this.#owner.wheel.arm(this.#timer, this.#owner.limits.exchangeIdleTimeoutMs);
  }

  #onTimeout(): void {
    if (this.#over) return;
    if (!this.#flowing) this.#touch();
    else {
      this.#cancel();
      this.#fail('IDLE_TIMEOUT', 'The upstream was silent for too long');
    }
  }

  #finish(): void {
    this.#over = true;
    this.#owner.wheel.disarm(this.#timer);
  }

  #leave(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#owner.left(this);
  }
}
