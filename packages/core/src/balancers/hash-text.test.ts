import { describe, expect, it } from 'vitest';
import { hashText, mixHashes } from './hash-text.ts';

describe('the hash of a text', () => {
  it('is the same everywhere: these figures may never change', () => {
    expect([hashText(''), hashText('user-1'), hashText('user-1', 7)]).toMatchInlineSnapshot(`
      [
        2872998923,
        2005895916,
        3173216546,
      ]
    `);
  });

  it('fills its range evenly, also for texts that differ in one letter', () => {
    const buckets = new Array<number>(64).fill(0);
    const count = 64_000;
    for (let at = 0; at < count; at++) {
      const bucket = Math.floor((hashText(`user-${at}`) / 2 ** 32) * 64);
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    }
    // Chi-square with 63 degrees of freedom: 120 is passed by chance once in 50,000 times.
    const expected = count / 64;
    const chiSquare = buckets.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
    expect(chiSquare).toBeLessThan(120);
  });

  it('mixes two hashes so that either changes the result, and their order counts', () => {
    expect(mixHashes(1, 2)).not.toBe(mixHashes(2, 1));
    expect(mixHashes(1, 2)).not.toBe(mixHashes(1, 3));
    expect(mixHashes(1, 2)).toBeGreaterThanOrEqual(0);
  });
});
