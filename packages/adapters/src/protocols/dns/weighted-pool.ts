import type { Random } from '@portolan/core';

/** Items to be drawn from by weight, many times. */
export interface WeightedPool<T> {
  readonly size: number;
  /**
   * So many of them, or all, in a random order in which each comes first, then each of the rest, as often as its weight
   * says. Takes time for those that are drawn, hardly for those that are not.
   */
  draw(count: number, random: Random): T[];
}

interface Mark {
  /** When the item comes; the least is first. */
  readonly at: number;
  readonly index: number;
}

/** Weights are positive. */
export function createWeightedPool<T>(
  items: readonly T[],
  weightOf: (item: T) => number,
): WeightedPool<T> {
  /** Sum of the weights in front of each item, and of all. */
  const before = new Float64Array(items.length + 1);
  for (const [index, item] of items.entries()) {
    before[index + 1] = (before[index] as number) + weightOf(item);
  }
  const total = before[items.length] as number;
  const weightAt = (index: number): number =>
    (before[index + 1] as number) - (before[index] as number);

  /** The first item from `from` on whose weights, added up, pass `mark`. */
  function find(mark: number, from: number): number {
    let low = from;
    let high = items.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((before[middle + 1] as number) > mark) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  return {
    size: items.length,
    /**
     * Weighted sampling without replacement (Efraimidis and Spirakis, 2006): an item of weight w comes after an exponential
     * time of rate w. Once `count` are held, the next item that comes before the last of them is found by a jump (their A-ExpJ).
     */
    draw(count, random) {
      const held = Math.min(count, items.length);
      if (held === 0) return [];
      const marks: Mark[] = [];
      for (let index = 0; index < held; index++) {
        marks.push({ at: -Math.log(1 - random()) / weightAt(index), index });
      }
      marks.sort((a, b) => a.at - b.at);
      for (let next = held; next < items.length; next++) {
        const last = (marks[held - 1] as Mark).at;
        const place = (before[next] as number) - Math.log(1 - random()) / last;
        // Written so that a `last` of 0, before which nothing can come, ends it too.
        if (!(place < total)) break;
        next = find(place, next);
        const weight = weightAt(next);
        const at = -Math.log(1 - random() * (1 - Math.exp(-weight * last))) / weight;
        marks.pop();
        insert(marks, { at, index: next });
      }
      return marks.map(({ index }) => items[index] as T);
    },
  };
}

function insert(marks: Mark[], mark: Mark): void {
  let low = 0;
  let high = marks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((marks[middle] as Mark).at < mark.at) low = middle + 1;
    else high = middle;
  }
  marks.splice(low, 0, mark);
}
