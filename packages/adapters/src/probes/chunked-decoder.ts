/** How far a chunked body has come. */
export type ChunkedState = 'more' | 'end' | 'fault';

const CR = 0x0d;
const LF = 0x0a;
const SEMICOLON = 0x3b;
// Extensions are ignored, and therefore no reason to read on and on (RFC 9112 §7.1.1).
const SIZE_LINE_LIMIT = 256;

type Expecting = 'size' | 'extension' | 'size-lf' | 'data' | 'data-cr' | 'data-lf';

/**
 * Decodes the chunked transfer coding (RFC 9112 §7.1) of a response on a connection that is closed afterwards, which
 * is why it ends at the last chunk and never looks at trailers.
 */
export class ChunkedDecoder {
  readonly #onData: (data: Buffer) => void;
  #expecting: Expecting = 'size';
  #size = 0;
  #digits = 0;
  #lineLength = 0;

  constructor(onData: (data: Buffer) => void) {
    this.#onData = onData;
  }

  push(bytes: Buffer): ChunkedState {
    let at = 0;
    while (at < bytes.length) {
      if (this.#expecting === 'data') {
        const end = Math.min(bytes.length, at + this.#size);
        this.#onData(bytes.subarray(at, end));
        this.#size -= end - at;
        at = end;
        if (this.#size === 0) this.#expecting = 'data-cr';
        continue;
      }
      const state = this.#control(bytes[at++] ?? 0);
      if (state !== 'more') return state;
    }
    return 'more';
  }

  #control(byte: number): ChunkedState {
    switch (this.#expecting) {
      case 'size':
        return this.#sizeByte(byte);
      case 'extension':
        if (byte === LF || ++this.#lineLength > SIZE_LINE_LIMIT) return 'fault';
        if (byte === CR) this.#expecting = 'size-lf';
        return 'more';
      case 'size-lf':
        if (byte !== LF) return 'fault';
        if (this.#size === 0) return 'end';
        this.#expecting = 'data';
        return 'more';
      case 'data-cr':
        if (byte !== CR) return 'fault';
        this.#expecting = 'data-lf';
        return 'more';
      default:
        if (byte !== LF) return 'fault';
        this.#expecting = 'size';
        this.#digits = 0;
        this.#lineLength = 0;
        return 'more';
    }
  }

  #sizeByte(byte: number): ChunkedState {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      // Seven digits are 256 MiB a chunk, far beyond what is ever read here.
      if (++this.#digits > 7) return 'fault';
      this.#size = this.#size * 16 + digit;
      return 'more';
    }
    if (this.#digits === 0) return 'fault';
    if (byte === CR) this.#expecting = 'size-lf';
    else if (byte === SEMICOLON) this.#expecting = 'extension';
    else return 'fault';
    return 'more';
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
