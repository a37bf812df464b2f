import { CR, LF } from '../protocol/byte-classes.ts';
import { HttpProtocolError } from '../protocol/protocol-error.ts';
import { HeadCollector } from './head-collector.ts';
import type { MessageFields } from './message-fields.ts';

/** Reads a head from `start` to `end`; `undefined` when the bytes end before it does, and throws at the first faulty byte. */
type ParseHead<H> = (bytes: Buffer, start: number, end: number) => H | undefined;

export interface HeadReaderOptions<H> {
  readonly parse: ParseHead<H>;
  /** From one byte more on, `parse` no longer returns `undefined`. */
  readonly headBytes: number;
  /** RFC 9112 §2.2: one empty line before a request is ignored. */
  readonly skipsBlankLine: boolean;
}

/** Reads the heads of one connection in whatever pieces they come: parsed where they lie when whole, else gathered. */
export class HeadReader<H extends MessageFields> {
  readonly #parse: ParseHead<H>;
  readonly #collector: HeadCollector;
  readonly #skipsBlankLine: boolean;
  #blankLine: 'none' | 'cr' | 'skipped' = 'none';
  /** Where in the last piece the reading stopped. */
  position = 0;

  constructor({ parse, headBytes, skipsBlankLine }: HeadReaderOptions<H>) {
    this.#parse = parse;
    this.#collector = new HeadCollector(headBytes);
    this.#skipsBlankLine = skipsBlankLine;
  }

  /** Whether a head has begun and not ended. */
  get gathering(): boolean {
    return this.#collector.length > 0 || this.#blankLine === 'cr';
  }

  /** Reads on in the piece from `at`, which lies within it. What is gathered of it is copied. */
  read(piece: Buffer, at: number): H | undefined {
    const gathered = this.#collector.length;
    let start = at;
    if (gathered === 0) {
      start = this.#skipsBlankLine ? this.#skipBlankLine(piece, at) : at;
      this.position = start;
      if (start === piece.length) return undefined;
      const head = this.#parse(piece, start, piece.length);
      if (head !== undefined) return this.#found(head, start);
    }
    this.position = piece.length;
    if (!this.#collector.push(start === 0 ? piece : piece.subarray(start))) return undefined;
    const bytes = this.#collector.take();
    const head = this.#parse(bytes, 0, bytes.length);
    if (head === undefined) throw new HttpProtocolError('HEAD_TOO_LARGE');
    return this.#found(head, start - gathered);
  }

  /** What is wrong with what was gathered, apart from its being incomplete. */
  fault(): HttpProtocolError | undefined {
    const bytes = this.#collector.take();
    try {
      this.#parse(bytes, 0, bytes.length);
    } catch (error) {
      if (error instanceof HttpProtocolError) return error;
      throw error;
    }
    return undefined;
  }

  #found(head: H, start: number): H {
    this.position = start + head.text.length;
    this.#blankLine = 'none';
    return head;
  }

  #skipBlankLine(piece: Buffer, at: number): number {
    if (this.#blankLine === 'skipped') return at;
    if (this.#blankLine === 'cr') {
      if (piece[at] !== LF) throw new HttpProtocolError('BARE_CR');
      this.#blankLine = 'skipped';
      return at + 1;
    }
    if (piece[at] !== CR) return at;
    if (at + 1 === piece.length) {
      this.#blankLine = 'cr';
      return at + 1;
    }
    if (piece[at + 1] !== LF) return at;
    this.#blankLine = 'skipped';
    return at + 2;
  }
}
