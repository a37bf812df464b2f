import { KeptPiece } from '../transport/kept-piece.ts';

/** Read bytes that have to wait, in order. */
export class HeldPieces {
  readonly #pieces: KeptPiece[] = [];
  /** How far the first one was read before it had to wait again. */
  #from = 0;
  bytes = 0;

  get count(): number {
    return this.#pieces.length;
  }

  /** Keeps a copy behind all others. */
  add(piece: Buffer): void {
    this.#pieces.push(KeptPiece.copyOf(piece));
    this.bytes += piece.length;
  }

  /** The first one, now the caller's to release or to put back, and where to go on in it. */
  take(): { readonly kept: KeptPiece; readonly from: number } | undefined {
    const kept = this.#pieces.shift();
    if (kept === undefined) return undefined;
    const from = this.#from;
    this.#from = 0;
    this.bytes -= kept.bytes.length - from;
    return { kept, from };
  }

  /** The one that was taken last has to wait again. */
  putBack(kept: KeptPiece, from: number): void {
    this.#pieces.unshift(kept);
    this.#from = from;
    this.bytes += kept.bytes.length - from;
  }

  /** All bytes, which are the caller's. */
  drain(): Buffer {
    const all = Buffer.concat(
      this.#pieces.map(({ bytes }, at) => (at === 0 ? bytes.subarray(this.#from) : bytes)),
    );
    this.clear();
    return all;
  }

  clear(): void {
    for (const kept of this.#pieces) kept.release();
    this.#pieces.length = 0;
    this.#from = 0;
    this.bytes = 0;
  }
}
