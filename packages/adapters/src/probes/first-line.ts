const LINE_LIMIT_BYTES = 256;
const LF = 0x0a;

/** Keeps the first line of a stream, up to a bound, and forgets the rest. */
export class FirstLine {
  #bytes = Buffer.alloc(0);
  #ended = false;

  get text(): string {
    return this.#bytes.toString('utf8').trim();
  }

  push(bytes: Buffer): void {
    if (this.#ended) return;
    const end = bytes.indexOf(LF);
    const part = end < 0 ? bytes : bytes.subarray(0, end);
    this.#bytes = Buffer.concat([this.#bytes, part]).subarray(0, LINE_LIMIT_BYTES);
    // An empty line says nothing; wait for one that does.
    this.#ended = this.#bytes.length === LINE_LIMIT_BYTES || (end >= 0 && this.text !== '');
    if (!this.#ended && end >= 0) this.push(bytes.subarray(end + 1));
  }
}
