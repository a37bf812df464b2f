const PADDING = 0x3d;

/**
 * Undoes base64 that comes in pieces cut anywhere. Padding may stand in the middle: each frame of gRPC-Web's text form may be
 * encoded by itself. Throws `RangeError` for what is no base64.
 */
export class Base64Decoder {
  /** Characters of a quantum of four that is not complete. */
  #rest = '';

  /** The bytes of all quanta that are complete by now. */
  push(piece: Buffer): Buffer {
    const text = this.#rest + piece.toString('latin1');
    const whole = text.length - (text.length % 4);
    this.#rest = text.slice(whole);
    const parts: Buffer[] = [];
    for (let at = 0; at < whole; ) {
      const padding = text.indexOf('=', at);
      // With the quantum that the padding completes.
      const end = padding < 0 || padding >= whole ? whole : padding + 4 - (padding % 4);
      parts.push(decode(text.slice(at, end)));
      at = end;
    }
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
  }

  /** To be called at the end: throws where a quantum is left incomplete. */
  end(): void {
    if (this.#rest !== '') throw new RangeError('The base64 text ends within a quantum');
  }
}

function decode(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  let padding = 0;
  while (text.charCodeAt(text.length - 1 - padding) === PADDING) padding++;
  // The runtime passes over what is no base64, and the bytes come out too few; it takes the URL-safe alphabet for it as well.
  if (padding > 2 || bytes.length !== (text.length / 4) * 3 - padding || /[-_]/.test(text)) {
    throw new RangeError('The text is no base64');
  }
  return bytes;
}
