interface Latin1Sliceable {
  latin1Slice(start: number, end: number): string;
}

/** Bytes as a string of the same length; Buffer's own method, which skips `toString`'s look-up of the encoding. */
export function toLatin1(bytes: Buffer, start: number, end: number): string {
  return (bytes as unknown as Latin1Sliceable).latin1Slice(start, end);
}
