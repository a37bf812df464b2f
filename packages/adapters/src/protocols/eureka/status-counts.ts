import type { Instance, ServiceView } from '@portolan/core';
import type { EurekaStatus } from './instance-info.ts';
import { effectiveStatus } from './status.ts';

type Counts = ReadonlyMap<EurekaStatus, number>;

/** How many instances of a view have each status; counted once a view. */
const counted = new WeakMap<ServiceView, Counts>();

/**
 * Eureka's `apps__hashcode` over everything that a full answer holds: each status with how many have it, in alphabetical
 * order. A client whose own count differs after a delta fetches everything anew, so this has to agree to the letter.
 */
export function appsHashCode(views: Iterable<ServiceView>): string {
  const total = new Map<EurekaStatus, number>();
  for (const view of views) {
    for (const [status, count] of countsOf(view)) {
      total.set(status, (total.get(status) ?? 0) + count);
    }
  }
  return hashOf(total);
}

/** The hash of some instances alone, for the answers about one vip. */
export function hashOfInstances(instances: Iterable<Instance>): string {
  return hashOf(count(instances));
}

function countsOf(view: ServiceView): Counts {
  let counts = counted.get(view);
  if (!counts) {
    counts = count(view.instances);
    counted.set(view, counts);
  }
  return counts;
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
