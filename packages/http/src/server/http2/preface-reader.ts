/** RFC 9113 §3.4. No request of HTTP/1.1 begins like this: the method PRI is reserved (§11.6), and the version is another. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** Tells by a connection's first bytes whether its client speaks HTTP/2. */
export class PrefaceReader {
  /** Whether the preface was found. */
  found = false;
  #gathered: Buffer = Buffer.alloc(0);

  /** The bytes to go on with, once it is known whose they are; undefined before. A piece is copied where it has to be kept. */
  read(piece: Buffer): Buffer | undefined {
    const bytes = this.#gathered.length === 0 ? piece : Buffer.concat([this.#gathered, piece]);
    const compared = Math.min(bytes.length, PREFACE.length);
    for (let at = 0; at < compared; at++) if (bytes[at] !== PREFACE[at]) return bytes;
    if (compared < PREFACE.length) {
      this.#gathered = Buffer.from(bytes);
      return undefined;
    }
    this.found = true;
    return bytes;
  }
}
