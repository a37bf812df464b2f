import type { AttemptOutcome, Balancer, Endpoint, PickContext } from '../ports/balancer.ts';
import type { Clock, Random } from '../ports/clock.ts';
import { createWeightedDraw } from './weighted-draw.ts';

/** What is known of an endpoint's speed. */
interface Pace {
  /** Milliseconds; jumps up with a slow answer at once and comes down slowly (Finagle's "peak"). */
  meanMs: number;
  atMs: number;
}

/** After this long without an answer an old figure counts for 1/e. */
const DECAY_MS = 10_000;
/** A failure counts as an answer that slow, so that failing fast is no way to get more. */
const FAILURE_MS = 1_000;

/**
 * Peak EWMA: of two endpoints drawn by weight the one that would answer sooner, by its recent latency times the requests it has
 * under way. An endpoint of which nothing is known counts as fast, and is known after its first answer.
 */
export function createEwma(deps: { readonly random: Random; readonly clock: Clock }): Balancer {
  const { random, clock } = deps;
  const draw = createWeightedDraw();
  const paces = new WeakMap<Endpoint, Pace>();

  function cost(endpoint: Endpoint, nowMs: number): number {
    const pace = paces.get(endpoint);
    const meanMs = pace ? pace.meanMs * Math.exp((pace.atMs - nowMs) / DECAY_MS) : 0;
    return ((meanMs + 0.001) * (endpoint.active + 1)) / Math.max(1, endpoint.weight);
  }

  return {
    update: draw.update,
    pick({ tried }: PickContext): Endpoint | undefined {
      const first = draw.at(random(), tried);
      if (first === undefined || draw.endpoints.length < 2) return first;
      const second = draw.at(random(), tried);
      if (second === undefined || second === first) return first;
      const nowMs = clock.now();
      // A share is owed by weight also where nothing is known of either: what is equal was drawn fairly.
      return cost(second, nowMs) * Math.max(1, second.weight) <
        cost(first, nowMs) * Math.max(1, first.weight)
        ? second
        : first;
    },
    settle(endpoint: Endpoint, outcome: AttemptOutcome, latencyMs: number) {
      const nowMs = clock.now();
      const toldMs = outcome === 'failure' ? Math.max(FAILURE_MS, latencyMs) : latencyMs;
      const pace = paces.get(endpoint);
      if (!pace) {
        paces.set(endpoint, { meanMs: toldMs, atMs: nowMs });
        return;
      }
      const kept = Math.exp((pace.atMs - nowMs) / DECAY_MS);
      // Many answers within a moment each count a little; a slower one counts at once.
      const share = Math.min(kept, 0.9);
      pace.meanMs = toldMs > pace.meanMs ? toldMs : pace.meanMs * share + toldMs * (1 - share);
      pace.atMs = nowMs;
    },
  };
}
