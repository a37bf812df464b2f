/** Whether a text has at most so many bytes in UTF-8. Short ones, which most are, are not counted. */
export function fitsInBytes(text: string, limit: number): boolean {
  // A UTF-16 code unit makes three bytes at most.
  return text.length * 3 <= limit || Buffer.byteLength(text) <= limit;
}
