/** Texts of ASCII in the bytes that they came in: strings are made only of those that somebody has to keep. */
export interface AsciiTexts {
  readonly bytes: Uint8Array;
  /** Two numbers a text: where in the bytes it begins, and where it ends. */
  readonly bounds: readonly number[];
}

/** Of texts that hold nothing but ASCII. */
export function toAsciiTexts(texts: readonly string[]): AsciiTexts {
  const bounds: number[] = [];
  let end = 0;
  for (const { length } of texts) {
    bounds.push(end, end + length);
    end += length;
  }
  return { bytes: new TextEncoder().encode(texts.join('')), bounds };
}

/** How many texts there are. */
export function countOf({ bounds }: AsciiTexts): number {
  return bounds.length >> 1;
}

/** The `at`th text, from 0. */
export function textAt({ bytes, bounds }: AsciiTexts, at: number): string {
  return String.fromCharCode(...bytes.subarray(bounds[at * 2], bounds[at * 2 + 1]));
}
