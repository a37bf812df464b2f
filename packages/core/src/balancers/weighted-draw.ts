import type { Endpoint } from '../ports/balancer.ts';

/** Finds the endpoint at a place on a line that each endpoint covers by its weight. */
export interface WeightedDraw {
  update(endpoints: readonly Endpoint[]): void;
  /** `place` from 0 to 1, 1 excluded; the next one along the line where that was tried, itself when all were. */
  at(place: number, tried: readonly Endpoint[]): Endpoint | undefined;
  readonly endpoints: readonly Endpoint[];
}

export function createWeightedDraw(): WeightedDraw {
  let endpoints: readonly Endpoint[] = [];
  /** Sum of the weights up to and including each endpoint. */
  let upTo = new Float64Array(0);
  let total = 0;

  return {
    get endpoints() {
      return endpoints;
    },
    update(next) {
      endpoints = next;
      upTo = new Float64Array(next.length);
      total = 0;
      for (const [at, endpoint] of next.entries()) {
        total += Math.max(1, endpoint.weight);
        upTo[at] = total;
      }
    },
    at(place, tried) {
      const mark = place * total;
      let low = 0;
      let high = endpoints.length - 1;
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((upTo[middle] as number) > mark) high = middle;
        else low = middle + 1;
      }
      const drawn = endpoints[low];
      if (tried.length === 0 || drawn === undefined || !tried.includes(drawn)) return drawn;
      for (let step = 1; step < endpoints.length; step++) {
        const candidate = endpoints[(low + step) % endpoints.length] as Endpoint;
        if (!tried.includes(candidate)) return candidate;
      }
      return drawn;
    },
  };
}
