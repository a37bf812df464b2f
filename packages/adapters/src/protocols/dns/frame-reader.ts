const LENGTH_BYTES = 2;

/** Cuts a stream into messages with their length in front (RFC 1035 §4.2.2), however it was cut on the way. */
export interface FrameReader {
  push(piece: Buffer): void;
  /** The next whole message; undefined until more has come. `too-long`: what follows cannot be read. */
  next(): Buffer | 'too-long' | undefined;
}

export function createFrameReader(maxBytes: number): FrameReader {
  let held: Buffer = Buffer.alloc(0);
  return {
    push(piece) {
      held = held.length === 0 ? piece : Buffer.concat([held, piece]);
    },
    next() {
      if (held.length < LENGTH_BYTES) return undefined;
      const length = held.readUInt16BE(0);
      if (length > maxBytes) return 'too-long';
      const end = LENGTH_BYTES + length;
      if (held.length < end) return undefined;
      const message = held.subarray(LENGTH_BYTES, end);
      held = held.subarray(end);
      return message;
    },
  };
}
