import type { Balancer, Endpoint, PickContext } from '../ports/balancer.ts';
import type { Random } from '../ports/clock.ts';

/**
 * Weighted power of two choices: draws two different endpoints with chances by weight and takes the one with fewer
 * requests under way for its weight. With nothing under way the shares are the weights; under load slow ones get less.
 */
export function createLeastRequest(deps: { readonly random: Random }): Balancer {
  const { random } = deps;
  let endpoints: readonly Endpoint[] = [];
  /** Sum of the weights up to and including each endpoint. */
  let upTo = new Float64Array(0);
  let total = 0;

  function update(next: readonly Endpoint[]): void {
    endpoints = next;
    upTo = new Float64Array(next.length);
    total = 0;
    for (const [at, endpoint] of next.entries()) {
      total += weightOf(endpoint);
      upTo[at] = total;
    }
  }

  function pick(context: PickContext): Endpoint | undefined {
    if (endpoints.length < 2) return endpoints[0];
    const firstAt = indexOf(random() * total);
    const first = endpoints[firstAt] as Endpoint;
    const before = (upTo[firstAt] as number) - weightOf(first);
    let mark = random() * (total - weightOf(first));
    if (mark >= before) mark += weightOf(first);
    const second = endpoints[indexOf(mark)] as Endpoint;
    const { tried } = context;
    if (tried.length === 0) return isLighter(second, first) ? second : first;
    const firstTried = tried.includes(first);
    const secondTried = tried.includes(second);
    if (firstTried && secondTried) return lightestUntried(firstAt, tried) ?? first;
    if (firstTried) return second;
    return secondTried || !isLighter(second, first) ? first : second;
  }

  function indexOf(mark: number): number {
    let low = 0;
    let high = endpoints.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((upTo[middle] as number) > mark) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  function lightestUntried(start: number, tried: readonly Endpoint[]): Endpoint | undefined {
    let best: Endpoint | undefined;
    for (let step = 1; step < endpoints.length; step++) {
      const candidate = endpoints[(start + step) % endpoints.length] as Endpoint;
      if (tried.includes(candidate)) continue;
      if (!best || isLighter(candidate, best)) best = candidate;
    }
    return best;
  }

  return { update, pick };
}

function isLighter(a: Endpoint, b: Endpoint): boolean {
  return a.active * weightOf(b) < b.active * weightOf(a);
}

function weightOf(endpoint: Endpoint): number {
  return Math.max(1, endpoint.weight);
}
