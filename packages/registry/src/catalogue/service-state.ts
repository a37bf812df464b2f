import {
  type Instance,
  isRoutableStatus,
  isWithdrawn,
  type Revision,
  type ServiceKey,
  type ServiceView,
} from '@portolan/core';

/** Up to this many changes are spliced into a copy; more are merged in one pass. */
const SPLICE_LIMIT = 16;

/** One service as the catalogue keeps it: its view, counts and who holds which address. */
export class ServiceState {
  readonly id: string;
  readonly key: ServiceKey;
  view: ServiceView;
  routable = 0;
  protected = 0;
  /** Passing or warning by their own merit, whatever the operator wants of them. */
  healthy = 0;
  /** Epoch milliseconds since when mass-loss protection is on. */
  protectedSinceMs: number | undefined = undefined;
  /** `address|port` to the instance's `namespace/id`. */
  readonly slots = new Map<string, string>();
  /** Instance id to its new form, or undefined when it left; taken into the view by `rebuild`. */
  readonly #pending = new Map<string, Instance | undefined>();

  constructor(id: string, key: ServiceKey) {
    this.id = id;
    this.key = key;
    this.view = { service: key, revision: 0, instances: [] };
  }

  change(id: string, before: Instance | undefined, after: Instance | undefined): void {
    if (before?.routable) this.routable--;
    if (before?.protected) this.protected--;
    if (before && isHealthy(before)) this.healthy--;
    if (after?.routable) this.routable++;
    if (after?.protected) this.protected++;
    if (after && isHealthy(after)) this.healthy++;
    this.#pending.set(id, after);
  }

  /** Makes the next view: O(instances) copying, and a sort of the changes only. */
  rebuild(revision: Revision): void {
    const instances = mergeChanges(this.view.instances, this.#pending);
    this.#pending.clear();
    const base = { service: this.key, revision, instances };
    this.view =
      this.protectedSinceMs === undefined
        ? base
        : { ...base, protection: { sinceMs: this.protectedSinceMs, kept: this.protected } };
  }
}

/** Whether losing it now would be a loss: what mass-loss protection counts. One that is leaving is none. */
export function isHealthy(instance: Instance): boolean {
  return (
    isRoutableStatus(instance.status) && !instance.protected && !isWithdrawn(instance.condition)
  );
}

/** Names the place an instance stands at. */
export function slotOf(address: string, port: number): string {
  return `${address}|${port}`;
}

/** The sorted list with the changes applied; the given list stays as it is. */
export function mergeChanges(
  present: readonly Instance[],
  changes: ReadonlyMap<string, Instance | undefined>,
): readonly Instance[] {
  if (changes.size === 0) return present;
  if (changes.size <= SPLICE_LIMIT && present.length > SPLICE_LIMIT) {
    const copy = present.slice();
    for (const [id, instance] of changes) spliceOne(copy, id, instance);
    return copy;
  }
  const sorted = [...changes].sort(([a], [b]) => (a < b ? -1 : 1));
  const merged: Instance[] = [];
  let at = 0;
  for (const [id, instance] of sorted) {
    for (let next = present[at]; next && next.id < id; next = present[++at]) merged.push(next);
    if (present[at]?.id === id) at++;
    if (instance) merged.push(instance);
  }
  for (let next = present[at]; next; next = present[++at]) merged.push(next);
  return merged;
}

function spliceOne(list: Instance[], id: string, instance: Instance | undefined): void {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((list[middle]?.id ?? '') < id) low = middle + 1;
    else high = middle;
  }
  const found = list[low]?.id === id;
  if (instance && found) list[low] = instance;
  else if (instance) list.splice(low, 0, instance);
  else if (found) list.splice(low, 1);
}
