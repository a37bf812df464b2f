import { type BodyFraming, KeptPiece } from '@portolan/http';

/** What was read of a request's body, kept while it is small enough to be sent again. */
export class ReplayBody {
  pieces: Buffer[] = [];
  /** Whether anything was read. */
  begun = false;
  /** Whether all of it was read. */
  completed = false;
  /** Trailer lines behind it; empty when there are none. */
  trailerLines = '';
  /** Whether what was read can be sent again. */
  replayable = true;
  #bytes = 0;
  #kept: KeptPiece[] = [];
  readonly #limitBytes: number;

  constructor(limitBytes: number, framing: BodyFraming) {
    // What is known to be too long is not copied first.
    const tooLong = framing.kind === 'length' && framing.length > limitBytes;
    this.#limitBytes = tooLong ? 0 : limitBytes;
  }

  /** `kept`: where the piece is kept already. */
  keep(piece: Buffer, kept: KeptPiece | undefined): void {
    this.begun = true;
    if (!this.replayable) return;
    this.#bytes += piece.length;
    if (this.#bytes > this.#limitBytes) {
      this.drop();
      return;
    }
    const held = kept?.retain() ?? KeptPiece.copyOf(piece);
    this.#kept.push(held);
    this.pieces.push(kept === undefined ? held.bytes : piece);
  }

  complete(trailerLines: string): void {
    this.begun = true;
    this.completed = true;
    this.trailerLines = trailerLines;
  }

  /** Keeps nothing any more. */
  drop(): void {
    this.replayable = false;
    this.pieces = [];
    for (const held of this.#kept) held.release();
    this.#kept = [];
  }
}
