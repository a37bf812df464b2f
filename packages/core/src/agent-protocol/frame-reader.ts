import { RegistryError } from '../errors/registry-error.ts';
import { FRAME_HEADER_BYTES, type Frame, type FrameSender, toFrameType } from './frames.ts';

const EMPTY = new Uint8Array(0);
const FIRST_STORE_BYTES = 4_096;

/**
 * Cuts a stream of bytes into frames, however it is split. Holds at most one unfinished frame and what was fed after it, and
 * no more than arrived: a header alone makes it allocate nothing.
 */
export class FrameReader {
  readonly #sender: FrameSender;
  readonly #limitBytes: number;
  /** Unread bytes are `#bytes[#from, #to)`; they are the piece last fed, or our own store. */
  #bytes: Uint8Array = EMPTY;
  #from = 0;
  #to = 0;
  #owned = false;

  constructor(sender: FrameSender, limitBytes: number) {
    this.#sender = sender;
    this.#limitBytes = limitBytes;
  }

  /** Bytes that were fed and belong to no frame read so far. */
  get pendingBytes(): number {
    return this.#to - this.#from;
  }

  /** Takes the next bytes. They are lent: `keep` has to be called before they change. */
  feed(piece: Uint8Array): void {
    if (this.pendingBytes === 0) {
      this.#bytes = piece;
      this.#from = 0;
      this.#to = piece.length;
      this.#owned = false;
    } else {
      this.#reserve(piece.length);
      this.#bytes.set(piece, this.#to);
      this.#to += piece.length;
    }
  }

  /** Copies what is left of a lent piece. */
  keep(): void {
    if (!this.#owned && this.pendingBytes > 0) this.#reserve(0);
  }

  /** The next whole frame, or undefined. Throws FRAME_INVALID or BODY_TOO_LARGE; then the rest has no meaning. */
  next(): Frame | undefined {
    const have = this.pendingBytes;
    if (have < FRAME_HEADER_BYTES) return undefined;
    const bytes = this.#bytes;
    const at = this.#from;
    const length = uint32(bytes, at);
    const type = toFrameType(bytes[at + 4] ?? 0, this.#sender);
    if (type === undefined) {
      throw new RegistryError('FRAME_INVALID', {
        detail: `No frame of a ${this.#sender} has the type ${bytes[at + 4]}.`,
      });
    }
    if (length > this.#limitBytes) {
      throw new RegistryError('BODY_TOO_LARGE', {
        detail: `The frame announces ${length} bytes; at most ${this.#limitBytes} are taken.`,
      });
    }
    const end = at + FRAME_HEADER_BYTES + length;
    if (end > this.#to) return undefined;
    this.#from = end;
    return {
      type,
      request: uint32(bytes, at + 5),
      payload: bytes.subarray(at + FRAME_HEADER_BYTES, end),
    };
  }

  /** Makes room for `more` bytes behind the unread ones, in memory of our own, doubling it. */
  #reserve(more: number): void {
    const have = this.pendingBytes;
    const wanted = have + more;
    if (this.#owned && this.#to + more <= this.#bytes.length) return;
    const fits = this.#owned && wanted <= this.#bytes.length / 2;
    let size = this.#owned ? this.#bytes.length : FIRST_STORE_BYTES;
    while (size < wanted) size *= 2;
    const store = fits ? this.#bytes : new Uint8Array(size);
    store.set(this.#bytes.subarray(this.#from, this.#to), 0);
    this.#bytes = store;
    this.#from = 0;
    this.#to = have;
    this.#owned = true;
  }
}

function uint32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] ?? 0) * 0x1000000 +
      (((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0))) >>>
    0
  );
}
