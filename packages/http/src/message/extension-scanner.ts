import { CR, FIELD_VALUE, LF, TOKEN } from '../protocol/byte-classes.ts';
import { HttpProtocolError } from '../protocol/protocol-error.ts';

type State = 'name-start' | 'name' | 'value-start' | 'value' | 'quoted' | 'escaped' | 'closed';

const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Reads the extensions of chunks (RFC 9112 §7.1.1) and forgets them. Their grammar is kept to, but for the white space that it
 * calls bad: where two parsers find the end of a chunk line at different places, a body turns into a request.
 */
export class ExtensionScanner {
  #state: State = 'name-start';
  #bytes = 0;
  readonly #limitBytes: number;

  /** `limitBytes` is for all extensions of a body together. */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** A new body begins. */
  reset(): void {
    this.#bytes = 0;
  }

  /** The semicolon behind a chunk's size was read. */
  begin(): void {
    this.#state = 'name-start';
  }

  /** Takes the next byte; true when it is the CR that ends the extensions. */
  push(byte: number): boolean {
    if (byte === CR && this.#mayEnd()) return true;
    if (byte === LF) throw new HttpProtocolError('BARE_LF');
    if (++this.#bytes > this.#limitBytes) {
      throw new HttpProtocolError('CHUNK_EXTENSIONS_TOO_LARGE');
    }
    const next = this.#after(byte);
    if (next === undefined) throw new HttpProtocolError('CHUNK_EXTENSION_INVALID');
    this.#state = next;
    return false;
  }

  #mayEnd(): boolean {
    return this.#state === 'name' || this.#state === 'value' || this.#state === 'closed';
  }

  #after(byte: number): State | undefined {
    const isToken = TOKEN[byte] !== 0;
    switch (this.#state) {
      case 'name-start':
        return isToken ? 'name' : undefined;
      case 'name':
        if (byte === EQUALS) return 'value-start';
        return isToken ? 'name' : nextExtension(byte);
      case 'value-start':
        if (byte === QUOTE) return 'quoted';
        return isToken ? 'value' : undefined;
      case 'value':
        return isToken ? 'value' : nextExtension(byte);
      case 'quoted':
        if (byte === QUOTE) return 'closed';
        if (byte === BACKSLASH) return 'escaped';
        return FIELD_VALUE[byte] === 1 ? 'quoted' : undefined;
      case 'escaped':
        return FIELD_VALUE[byte] === 1 ? 'quoted' : undefined;
      case 'closed':
        return nextExtension(byte);
    }
  }
}

function nextExtension(byte: number): State | undefined {
  return byte === SEMICOLON ? 'name-start' : undefined;
}
