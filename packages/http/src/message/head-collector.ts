import { CR, LF } from '../protocol/byte-classes.ts';

/**
 * Gathers a head that arrives in pieces. Looks at each byte once, so that a head sent byte by byte costs no more than one
 * sent whole, and lets nothing wait behind a bare CR, a bare LF or a NUL.
 */
export class HeadCollector {
  #buffer: Buffer | undefined;
  #length = 0;
  #scanned = 0;
  #ended = false;
  readonly #limitBytes: number;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get length(): number {
    return this.#length;
  }

  /** Adds a piece; true once it is to be parsed: the empty line that ends a head is there, a fault, or more than the limit. */
  push(piece: Buffer): boolean {
    const needed = this.#length + piece.length;
    const buffer = this.#buffer;
    if (buffer === undefined || needed > buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(1024, needed * 2));
      buffer?.copy(grown, 0, 0, this.#length);
      this.#buffer = grown;
    }
    this.#buffer?.set(piece, this.#length);
    this.#length = needed;
    return this.#scan();
  }

  /** What was gathered; the collector is empty afterwards. */
  take(): Buffer {
    const taken = this.#buffer?.subarray(0, this.#length) ?? Buffer.alloc(0);
    this.#buffer = undefined;
    this.#length = 0;
    this.#scanned = 0;
    this.#ended = false;
    return taken;
  }

  #scan(): boolean {
    const bytes = this.#buffer;
    if (bytes === undefined || this.#ended) return this.#ended;
    for (let at = this.#scanned; at < this.#length && !this.#ended; at++) {
      const byte = bytes[at] as number;
      const afterCr = at > 0 && bytes[at - 1] === CR;
      if (byte === LF) this.#ended = !afterCr || (at >= 3 && bytes[at - 2] === LF);
      else this.#ended = afterCr || byte === 0;
    }
    this.#scanned = this.#length;
    return this.#ended || this.#length > this.#limitBytes;
  }
}
