import { type Opening, OpeningError } from './opening-error.ts';

/** What a TLS client says before anything is encrypted. */
export interface ClientHello {
  /** Lower case, without the root's dot; undefined when it names none. */
  readonly serverName: string | undefined;
  readonly alpn: readonly string[];
}

const RECORD_HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const EXTENSION_SERVER_NAME = 0;
const EXTENSION_ALPN = 16;
const MAX_RECORD_BYTES = 16_384;
/** Clients with post-quantum keys and many tickets stay well below. */
const MAX_HELLO_BYTES = 32_768;
/** With the headers of records as small as a byte each: more is nobody's hello. */
export const MAX_OPENING_BYTES = 65_536;

const HOST_NAME = /^(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/;

/**
 * Reads a ClientHello (RFC 8446 §4.1.2, RFC 6066 §3, RFC 7301 §3.1) over as many records as it was cut into; undefined while bytes
 * are missing. Throws an OpeningError for what is none. `length` counts the records read, whole.
 */
export function parseClientHello(bytes: Buffer): Opening<ClientHello> | undefined {
  const pieces: Buffer[] = [];
  let gathered = 0;
  let at = 0;
  while (true) {
    if (bytes.length > at && bytes[at] !== RECORD_HANDSHAKE) throw invalid('it is not TLS');
    if (bytes.length < at + 5) return undefined;
    // The version in a record's header says nothing but that it is TLS (RFC 8446 §5.1).
    if (bytes[at + 1] !== 3) throw invalid('it is not TLS');
    const size = bytes.readUInt16BE(at + 3);
    if (size === 0 || size > MAX_RECORD_BYTES) throw invalid('a record has no valid length');
    const piece = bytes.subarray(at + 5, at + 5 + size);
    pieces.push(piece);
    gathered += piece.length;
    const message = pieces.length === 1 ? piece : Buffer.concat(pieces);
    if (gathered >= 4) {
      if (message[0] !== CLIENT_HELLO) throw invalid('the first message is another one');
      const helloBytes = message.readUIntBE(1, 3);
      if (helloBytes > MAX_HELLO_BYTES) throw invalid('it is too long');
      if (gathered >= 4 + helloBytes) {
        return { value: readHello(message.subarray(4, 4 + helloBytes)), length: at + 5 + size };
      }
    }
    if (piece.length < size) return undefined;
    at += 5 + size;
  }
}

function readHello(bytes: Buffer): ClientHello {
  const hello = new Cursor(bytes);
  hello.take(2 + 32);
  hello.vector(1);
  hello.vector(2);
  hello.vector(1);
  let serverName: string | undefined;
  let alpn: readonly string[] = [];
  if (hello.left > 0) {
    const extensions = new Cursor(hello.vector(2));
    const seen = new Set<number>();
    while (extensions.left > 0) {
      const type = extensions.number(2);
      const value = new Cursor(extensions.vector(2));
      if (seen.has(type)) throw invalid('an extension comes twice');
      seen.add(type);
      if (type === EXTENSION_SERVER_NAME) serverName = readServerName(value);
      else if (type === EXTENSION_ALPN) alpn = readAlpn(value);
    }
  }
  return { serverName, alpn };
}

function readServerName(value: Cursor): string | undefined {
  const list = new Cursor(value.vector(2));
  let found: string | undefined;
  while (list.left > 0) {
    const type = list.number(1);
    const name = list.vector(2).toString('latin1').toLowerCase().replace(/\.$/, '');
    if (type !== 0) continue;
    if (found !== undefined) throw invalid('it names two servers');
    if (name.length > 253 || !HOST_NAME.test(name)) throw invalid('the server name is none');
    found = name;
  }
  return found;
}

function readAlpn(value: Cursor): readonly string[] {
  const list = new Cursor(value.vector(2));
  const protocols: string[] = [];
  while (list.left > 0) protocols.push(list.vector(1).toString('latin1'));
  return protocols;
}

/** Takes lengths at their word only where the bytes are there. */
class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  take(count: number): Buffer {
    if (count > this.left) throw invalid('a length points behind its end');
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  number(size: 1 | 2): number {
    return this.take(size).readUIntBE(0, size);
  }

  vector(lengthSize: 1 | 2): Buffer {
    return this.take(this.number(lengthSize));
  }
}

function invalid(why: string): OpeningError {
  return new OpeningError('CLIENT_HELLO_INVALID', `The connection opens with no TLS hello: ${why}`);
}
