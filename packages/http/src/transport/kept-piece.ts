import { READ_BYTES } from './read-bytes.ts';

/** Smaller ones come out of the runtime's own pool. */
const MIN_RECYCLED_BYTES = 8_192;
const SIZES = [16_384, 32_768, 65_536, READ_BYTES];
/** Of each size. */
const MAX_FREE_BYTES = 2_097_152;
const free: Buffer[][] = SIZES.map(() => []);

/**
 * A copy of bytes that were only lent, in memory that is used again when nobody needs it any more: making and collecting a large
 * buffer costs several times what copying into it does. Whoever forgets to release it loses the reuse, nothing else; whoever reads
 * it after the last release reads somebody else's bytes.
 */
export class KeptPiece {
  readonly bytes: Buffer;
  readonly #size: number;
  #memory: Buffer | undefined;
  #holders = 1;

  private constructor(bytes: Buffer, memory: Buffer | undefined, size: number) {
    this.bytes = bytes;
    this.#memory = memory;
    this.#size = size;
  }

  /** Held by the caller. */
  static copyOf(piece: Buffer): KeptPiece {
    if (piece.length < MIN_RECYCLED_BYTES || piece.length > READ_BYTES) {
      return new KeptPiece(Buffer.from(piece), undefined, -1);
    }
    const size = SIZES.findIndex((bytes) => bytes >= piece.length);
    const memory = free[size]?.pop() ?? Buffer.allocUnsafeSlow(SIZES[size] ?? piece.length);
    piece.copy(memory);
    return new KeptPiece(memory.subarray(0, piece.length), memory, size);
  }

  /** One more holds it. */
  retain(): this {
    this.#holders++;
    return this;
  }

  /** One fewer holds it; the last one's gives the memory to the next. */
  release(): void {
    if (--this.#holders > 0 || this.#memory === undefined) return;
    const spare = free[this.#size];
    if (spare && spare.length * this.#memory.length < MAX_FREE_BYTES) spare.push(this.#memory);
    this.#memory = undefined;
  }
}
