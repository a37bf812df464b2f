import type { Random } from '@portolan/core';

/**
 * The items in a random order in which each comes first, then each of the rest, as often as its weight says: weighted
 * sampling without replacement (Efraimidis and Spirakis, 2006). Weights are positive.
 */
export function weightedOrder<T>(
  items: readonly T[],
  weightOf: (item: T) => number,
  random: Random,
): T[] {
  return items
    .map((item) => ({ item, mark: -Math.log(1 - random()) / weightOf(item) }))
    .sort((a, b) => a.mark - b.mark)
    .map(({ item }) => item);
}
