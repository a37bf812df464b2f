import {
  type ExclusiveTerm,
  type Instance,
  isRoutableStatus,
  type TermReason,
} from '@portolan/core';

/** A term that is to begin; without `active` nobody could take over. */
export interface TermDecision {
  readonly active?: Instance;
  readonly reason: TermReason;
}

/** Who is to be active from now on; undefined while the present term goes on. */
export function decideTerm(
  { active }: ExclusiveTerm,
  instances: readonly Instance[],
): TermDecision | undefined {
  const present = instances.find(({ id }) => id === active);
  if (present && isFit(present)) return undefined;
  const [next] = successionOf(instances);
  const isKept = present !== undefined && isWanted(present) && present.protected;
  // Nobody who is heard could do better than the one that was heard last.
  if (isKept && !(next && isFit(next))) return undefined;
  if (!next) return active === undefined ? undefined : { reason: reasonOf(active, present) };
  return { active: next, reason: reasonOf(active, present) };
}

/**
 * Who may be active, the next first: passing before warning before what mass-loss protection keeps, then the greater weight, then
 * the one that is registered for longest.
 */
export function successionOf(instances: readonly Instance[]): readonly Instance[] {
  return instances.filter((instance) => isWanted(instance) && isUsable(instance)).sort(inOrder);
}

/** Whether it may be active by its own merit. */
export function isFit(instance: Instance): boolean {
  return isWanted(instance) && isRoutableStatus(instance.status) && !instance.protected;
}

/** Why an instance cannot take over; undefined when it can. */
export function whyUnfit(instance: Instance): string | undefined {
  if (isFit(instance)) return undefined;
  const { intent, status, statusReason, effectiveWeight } = instance;
  if (!intent.enabled) return 'it is disabled';
  if (intent.maintenance) return `it is in maintenance: ${intent.maintenance.reason}`;
  if (effectiveWeight === 0) return 'its weight is 0';
  return `it is ${status}: ${statusReason}`;
}

function isWanted({ intent, effectiveWeight }: Instance): boolean {
  return intent.enabled && intent.maintenance === undefined && effectiveWeight > 0;
}

function isUsable(instance: Instance): boolean {
  return isRoutableStatus(instance.status) || instance.protected;
}

function rankOf({ status, protected: isProtected }: Instance): number {
  if (isProtected) return 2;
  return status === 'passing' ? 0 : 1;
}

function inOrder(a: Instance, b: Instance): number {
  return (
    rankOf(a) - rankOf(b) ||
    b.effectiveWeight - a.effectiveWeight ||
    a.createRevision - b.createRevision ||
    (a.id < b.id ? -1 : 1)
  );
}

function reasonOf(active: string | undefined, present: Instance | undefined): TermReason {
  if (active === undefined) return 'vacant';
  if (!present) return 'gone';
  return isWanted(present) ? 'unhealthy' : 'drained';
}
