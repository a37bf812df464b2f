import type { Balancer, Endpoint, PickContext } from '../ports/balancer.ts';
import type { Random } from '../ports/clock.ts';
import { createWeightedDraw } from './weighted-draw.ts';

/** Each endpoint by chance, as its weight says: no memory, so that many gateways never march in step. */
export function createRandomBalancer(deps: { readonly random: Random }): Balancer {
  const draw = createWeightedDraw();
  return {
    update: draw.update,
    pick: (context: PickContext): Endpoint | undefined => draw.at(deps.random(), context.tried),
  };
}
