import { seededRandom } from '@portolan/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { weightedOrder } from './weighted-order.ts';

test('an order has each item once', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 65_535 })), fc.nat(), (weights, seed) => {
      const items = weights.map((weight, at) => ({ weight, at }));
      const order = weightedOrder(items, ({ weight }) => weight, seededRandom(seed));
      expect(order.map(({ at }) => at).sort((a, b) => a - b)).toEqual(items.map(({ at }) => at));
    }),
  );
});

test('each comes first as often as its weight says, and then again among the rest', () => {
  const random = seededRandom(11);
  const rounds = 20_000;
  const first = { a: 0, b: 0, c: 0 };
  let bBeforeA = 0;
  for (let round = 0; round < rounds; round++) {
    const weights = { a: 1, b: 2, c: 7 };
    const order = weightedOrder(['a', 'b', 'c'] as const, (name) => weights[name], random);
    first[order[0] as 'a'] += 1;
    if (order.indexOf('b') < order.indexOf('a')) bBeforeA += 1;
  }
  expect(first.a / rounds).toBeCloseTo(0.1, 1);
  expect(first.b / rounds).toBeCloseTo(0.2, 1);
  expect(first.c / rounds).toBeCloseTo(0.7, 1);
  expect(bBeforeA / rounds).toBeCloseTo(2 / 3, 1);
});

test('a random number of 0 or next to 1 makes no item disappear', () => {
  for (const value of [0, 1 - 2 ** -53]) {
    expect(
      weightedOrder(
        [1, 2, 3],
        (weight) => weight,
        () => value,
      ),
    ).toHaveLength(3);
  }
});
