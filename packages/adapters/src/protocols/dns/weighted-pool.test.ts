import { seededRandom } from '@portolan/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createWeightedPool } from './weighted-pool.ts';

test('a draw has as many different items as were asked for, or all', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 65_535 }), { maxLength: 200 }),
      fc.nat(250),
      fc.nat(),
      (weights, count, seed) => {
        const items = weights.map((weight, at) => ({ weight, at }));
        const pool = createWeightedPool(items, ({ weight }) => weight);
        const drawn = pool.draw(count, seededRandom(seed));
        expect(drawn.length).toBe(Math.min(count, items.length));
        expect(new Set(drawn).size).toBe(drawn.length);
      },
    ),
  );
});

describe.each([1, 2, 3, 4])('of four items %i drawn', (count) => {
  test('come in the shares that their weights say', () => {
    const weights = { a: 1, b: 2, c: 7, d: 10 } as const;
    type Name = keyof typeof weights;
    const names = Object.keys(weights) as Name[];
    const pool = createWeightedPool(names, (name) => weights[name]);
    const random = seededRandom(11 + count);
    const rounds = 40_000;
    const seen = new Map<string, number>();
    for (let round = 0; round < rounds; round++) {
      const order = pool.draw(count, random).join('');
      seen.set(order, (seen.get(order) ?? 0) + 1);
    }
    /** Chance of an order: the product of each one's share of what is left. */
    const chanceOf = (order: string): number => {
      let left = 20;
      let chance = 1;
      for (const name of order) {
        const weight = weights[name as Name];
        chance *= weight / left;
        left -= weight;
      }
      return chance;
    };
    for (const [order, times] of seen) {
      const chance = chanceOf(order);
      const deviation = Math.sqrt((chance * (1 - chance)) / rounds);
      expect(Math.abs(times / rounds - chance)).toBeLessThan(5 * deviation);
    }
    const covered = [...seen.keys()].reduce((sum, order) => sum + chanceOf(order), 0);
    expect(covered).toBeGreaterThan(0.99);
  });
});

test('random numbers of 0, or next to 1, lose no item', () => {
  const pool = createWeightedPool([1, 2, 3, 4, 5], (weight) => weight);
  for (const value of [0, 1 - 2 ** -53]) {
    for (const count of [1, 3, 5]) {
      expect(new Set(pool.draw(count, () => value)).size).toBe(count);
    }
  }
});

test('drawing some of many asks for few random numbers', () => {
  const pool = createWeightedPool(
    Array.from({ length: 100_000 }, (_, at) => at),
    (at) => 1 + (at % 9),
  );
  let asked = 0;
  const random = seededRandom(5);
  pool.draw(80, () => {
    asked += 1;
    return random();
  });
  // About 80 · (1 + 2 ln(100,000 / 80)).
  expect(asked).toBeLessThan(2_500);
});
