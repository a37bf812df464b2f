import { CR, HEX_VALUE, LF } from '../protocol/byte-classes.ts';
import { HttpProtocolError } from '../protocol/protocol-error.ts';
import { ExtensionScanner } from './extension-scanner.ts';
import { HeadCollector } from './head-collector.ts';
import type { MessageFields } from './message-fields.ts';
import { parseTrailers, type TrailerLimits } from './trailer-fields.ts';

export interface ChunkedLimits extends TrailerLimits {
  /** All chunk extensions of a body together. Default 4 KiB. */
  readonly extensionBytes: number;
}

export const DEFAULT_CHUNKED_LIMITS: ChunkedLimits = {
  extensionBytes: 4_096,
  trailerBytes: 8_192,
  maxTrailers: 32,
};

/** Takes the bytes of a body. */
export interface BodySink {
  /** A piece of the body: a view of the bytes that were pushed, and valid for as long as they are. */
  onBodyData(piece: Buffer): void;
}

type State =
  | 'size-start'
  | 'size'
  | 'extension'
  | 'size-lf'
  | 'data'
  | 'data-cr'
  | 'data-lf'
  | 'trailer-start'
  | 'trailers'
  | 'done';

/** Undoes the chunked coding (RFC 9112 §7.1), for any split of its bytes. */
export class ChunkedDecoder {
  #state: State = 'size-start';
  #remaining = 0;
  readonly #extension: ExtensionScanner;
  #trailerCollector: HeadCollector | undefined;
  readonly #limits: ChunkedLimits;
  /** Set when the body ended with trailers; they are never merged into the head's fields. */
  trailers: MessageFields | undefined;

  constructor(limits: ChunkedLimits) {
    this.#limits = limits;
    this.#extension = new ExtensionScanner(limits.extensionBytes);
  }

  get done(): boolean {
    return this.#state === 'done';
  }

  reset(): void {
    this.#state = 'size-start';
    this.#remaining = 0;
    this.#extension.reset();
    this.#trailerCollector = undefined;
    this.trailers = undefined;
  }

  /** Decodes from `start` and returns the position behind the last byte that belongs to the body. */
  push(bytes: Buffer, start: number, sink: BodySink): number {
    let at = start;
    const end = bytes.length;
    while (at < end) {
      switch (this.#state) {
        case 'data': {
          const take = Math.min(this.#remaining, end - at);
          this.#remaining -= take;
          if (this.#remaining === 0) this.#state = 'data-cr';
          const piece = bytes.subarray(at, at + take);
          at += take;
          sink.onBodyData(piece);
          break;
        }
        case 'trailers':
          return this.#readTrailers(bytes, at);
        case 'done':
          return at;
        default:
          this.#step(bytes[at] as number);
          // The trailers' reader wants the byte that showed that there are some.
          if ((this.#state as State) !== 'trailers') at++;
      }
    }
    return at;
  }

  #step(byte: number): void {
    switch (this.#state) {
      case 'size-start':
      case 'size': {
        const digit = HEX_VALUE[byte] as number;
        if (digit < 16) {
          this.#remaining = this.#remaining * 16 + digit;
          if (this.#remaining > Number.MAX_SAFE_INTEGER / 16) {
            throw new HttpProtocolError('CHUNK_SIZE_INVALID');
          }
          this.#state = 'size';
        } else if (this.#state === 'size-start') throw new HttpProtocolError('CHUNK_SIZE_INVALID');
        else if (byte === CR) this.#state = 'size-lf';
        else if (byte === SEMICOLON) {
          this.#extension.begin();
          this.#state = 'extension';
        } else throw new HttpProtocolError(byte === LF ? 'BARE_LF' : 'CHUNK_SIZE_INVALID');
        return;
      }
      case 'extension':
        if (this.#extension.push(byte)) this.#state = 'size-lf';
        return;
      case 'size-lf':
        if (byte !== LF) throw new HttpProtocolError('BARE_CR');
        this.#state = this.#remaining === 0 ? 'trailer-start' : 'data';
        return;
      case 'data-cr':
        if (byte !== CR) throw new HttpProtocolError('CHUNK_TERMINATOR_INVALID');
        this.#state = 'data-lf';
        return;
      case 'data-lf':
        if (byte !== LF) throw new HttpProtocolError('CHUNK_TERMINATOR_INVALID');
        this.#state = 'size-start';
        return;
      case 'trailer-start':
        this.#state = 'trailers';
        this.#trailerCollector = new HeadCollector(this.#limits.trailerBytes + CRLF.length);
        // The last chunk's CRLF, so that an empty trailer section ends with two like any other.
        this.#trailerCollector.push(CRLF);
        return;
      default:
        return;
    }
  }

  #readTrailers(bytes: Buffer, start: number): number {
    const collector = this.#trailerCollector;
    if (collector === undefined) return start;
    const before = collector.length;
    const piece = bytes.subarray(start, start + this.#limits.trailerBytes + 3);
    if (!collector.push(piece)) return start + piece.length;
    const section = collector.take();
    this.#trailerCollector = undefined;
    const { end, trailers } = parseTrailers(section, 2, this.#limits);
    this.trailers = trailers;
    this.#state = 'done';
    return start + end - before;
  }
}

const SEMICOLON = 0x3b;
const CRLF = Buffer.from('\r\n');
