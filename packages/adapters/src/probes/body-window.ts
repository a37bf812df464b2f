/** Bytes of a body that a probe looks at. */
export const BODY_WINDOW_BYTES = 65_536;

/** The first 64 KiB of a body, searched as they come. */
export class BodyWindow {
  readonly #needle: Buffer;
  #buffer = Buffer.allocUnsafe(1_024);
  #length = 0;
  #found = false;

  constructor(needle: string) {
    this.#needle = Buffer.from(needle, 'utf8');
    this.#found = this.#needle.length === 0;
  }

  get found(): boolean {
    return this.#found;
  }

  get full(): boolean {
    return this.#length === BODY_WINDOW_BYTES;
  }

  append(bytes: Buffer): void {
    const taken = Math.min(bytes.length, BODY_WINDOW_BYTES - this.#length);
    if (taken === 0 || this.#found) return;
    this.#reserve(this.#length + taken);
    bytes.copy(this.#buffer, this.#length, 0, taken);
    // Only where the new bytes end a match: searching all of it again would be quadratic for a body sent byte by byte.
    const from = Math.max(0, this.#length - this.#needle.length + 1);
    this.#length += taken;
    this.#found = this.#buffer.subarray(from, this.#length).includes(this.#needle);
  }

  #reserve(lengthBytes: number): void {
    if (lengthBytes <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(
      Math.min(BODY_WINDOW_BYTES, Math.max(lengthBytes, this.#buffer.length * 2)),
    );
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}
