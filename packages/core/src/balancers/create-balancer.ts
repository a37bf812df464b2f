import type { BalancerName } from '../model/route.ts';
import type { Balancer } from '../ports/balancer.ts';
import type { Clock, Random } from '../ports/clock.ts';
import { createEwma } from './ewma.ts';
import { createLeastRequest } from './least-request.ts';
import { createMaglev } from './maglev.ts';
import { createRandomBalancer } from './random.ts';
import { createRingHash } from './ring-hash.ts';
import { createWeightedRoundRobin } from './weighted-round-robin.ts';

/** Makes the balancer that a route or policy names. */
export function createBalancer(
  name: BalancerName,
  deps: { readonly random: Random; readonly clock: Clock },
): Balancer {
  switch (name) {
    case 'weighted-round-robin':
      return createWeightedRoundRobin();
    case 'least-request':
      return createLeastRequest(deps);
    case 'random':
      return createRandomBalancer(deps);
    case 'ewma':
      return createEwma(deps);
    case 'ring-hash':
      return createRingHash();
    case 'maglev':
      return createMaglev();
  }
}
