import type { Clock, Instance, ServiceView } from '@portolan/core';
import { otherTurns } from './answer.ts';
import type { EurekaStatus } from './instance-info.ts';
import { effectiveStatus } from './status.ts';

type Counts = ReadonlyMap<EurekaStatus, number>;

/** How many instances of a view have each status; counted once a view. */
const counted = new WeakMap<ServiceView, Counts>();
/** As many instances are counted before others get their turn. */
const SLICE_INSTANCES = 2_000;

/**
 * Eureka's `apps__hashcode` over everything that a full answer holds: each status with how many have it, in alphabetical
 * order. A client whose own count differs after a delta fetches everything anew, so this has to agree to the letter.
 */
export async function appsHashCode(clock: Clock, views: Iterable<ServiceView>): Promise<string> {
  const total = new Map<EurekaStatus, number>();
  let looked = 0;
  for (const view of views) {
    let counts = counted.get(view);
    if (!counts) {
      counts = count(view.instances);
      counted.set(view, counts);
      looked += view.count;
    }
    for (const [status, number] of counts) total.set(status, (total.get(status) ?? 0) + number);
    if (looked < SLICE_INSTANCES) continue;
    looked = 0;
    await otherTurns(clock);
  }
  return hashOf(total);
}

/** The hash of some instances alone, for the answers about one vip. */
export function hashOfInstances(instances: Iterable<Instance>): string {
  return hashOf(count(instances));
}

function count(instances: Iterable<Instance>): Map<EurekaStatus, number> {
  const counts = new Map<EurekaStatus, number>();
  for (const instance of instances) {
    const status = effectiveStatus(instance);
    counts.set(status, (counts.get(status) ?? 0) + 1);
  }
  return counts;
}

function hashOf(counts: Counts): string {
  return [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([status, number]) => `${status}_${number}_`)
    .join('');
}
