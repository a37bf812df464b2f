import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs } from './backoff.ts';

describe('the back-off', () => {
  it('lies between zero and the doubled base, never above the maximum', () => {
    void fc.assert(
      fc.property(
        fc.nat({ max: 2_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (attempt, roll) => {
          const options = { baseMs: 25, maxMs: 250 };
          const delay = backoffMs(attempt, options, () => roll);
          expect(delay).toBeGreaterThanOrEqual(0);
          expect(delay).toBeLessThanOrEqual(Math.min(250, 25 * 2 ** attempt));
        },
      ),
    );
  });

  it('spreads over the whole interval', () => {
    expect(backoffMs(1, { baseMs: 25, maxMs: 250 }, () => 0)).toBe(0);
    expect(backoffMs(1, { baseMs: 25, maxMs: 250 }, () => 0.5)).toBe(25);
  });
});
