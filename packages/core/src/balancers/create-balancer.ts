import type { BalancerName } from '../model/route.ts';
import type { Balancer } from '../ports/balancer.ts';
import type { Random } from '../ports/clock.ts';
import { createLeastRequest } from './least-request.ts';
import { createWeightedRoundRobin } from './weighted-round-robin.ts';

/** Makes the balancer a route names. */
export function createBalancer(name: BalancerName, deps: { readonly random: Random }): Balancer {
  switch (name) {
    case 'weighted-round-robin':
      return createWeightedRoundRobin();
    case 'least-request':
    case 'random':
    case 'ewma':
    case 'ring-hash':
    case 'maglev':
      return createLeastRequest(deps);
  }
}
