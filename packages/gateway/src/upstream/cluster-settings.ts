import {
  type BalancerName,
  type CallerKey,
  type CircuitLimits,
  type Labels,
  type LocalityPolicy,
  matchesLabels,
  type OutlierOptions,
  type SessionAffinity,
  type TrafficPolicy,
  type TrafficSettings,
} from '@portolan/core';

/** Which instances of a service a route means, and what it says of choosing among them. */
export interface ClusterRef {
  readonly subset: Labels;
  /** A subset of the service's traffic policy; without such a subset there are no instances. */
  readonly subsetName?: string | undefined;
  /** The route's; absent: the policy's, then `fallback`. */
  readonly balancer?: BalancerName | undefined;
  readonly hash?: CallerKey | undefined;
  readonly fallback: BalancerName;
}

/** How a cluster is treated: the route's word before the subset's, that before the service's. */
export interface ClusterSettings {
  /** Undefined: the policy knows no such subset. */
  readonly labels: Labels | undefined;
  readonly balancer: BalancerName;
  readonly hash: CallerKey | undefined;
  readonly locality: LocalityPolicy | undefined;
  readonly affinity: SessionAffinity | undefined;
  readonly limits: CircuitLimits | undefined;
  /** From 0 to 1. */
  readonly panicShare: number;
}

export function clusterSettings(
  ref: ClusterRef,
  policy: TrafficPolicy | undefined,
): ClusterSettings {
  const subset = ref.subsetName === undefined ? undefined : policy?.subsets[ref.subsetName];
  const unknown = ref.subsetName !== undefined && subset === undefined;
  const said = { ...policy, ...subset };
  const balancer = ref.balancer ?? said.balancer ?? ref.fallback;
  const hash = ref.hash ?? said.hash;
  const hashes = balancer === 'ring-hash' || balancer === 'maglev';
  return {
    labels: unknown ? undefined : { ...subset?.labels, ...ref.subset },
    balancer,
    // Without a key of its own a hashing balancer goes by the client's address.
    hash: hashes ? (hash ?? { kind: 'source' }) : undefined,
    locality: said.locality,
    affinity: said.affinity,
    limits: said.limits,
    panicShare: said.panicShare ?? 0,
  };
}

/** Names a cluster among those of a service. */
export function clusterKey(ref: ClusterRef): string {
  const labels = Object.entries(ref.subset).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([labels, ref.subsetName, ref.balancer, ref.hash, ref.fallback]);
}

/** What a policy says of one instance: the first of its subsets that says anything, else the service. */
function saidOfInstance<K extends keyof TrafficSettings>(
  policy: TrafficPolicy | undefined,
  labels: Labels,
  what: K,
): TrafficSettings[K] | undefined {
  if (policy === undefined) return undefined;
  for (const subset of Object.values(policy.subsets)) {
    const said: TrafficSettings[K] | undefined = subset[what];
    if (said !== undefined && matchesLabels(labels, subset.labels)) return said;
  }
  return policy[what];
}

/** How long an instance takes to come to its full share. */
export function slowStartMs(policy: TrafficPolicy | undefined, labels: Labels): number {
  return saidOfInstance(policy, labels, 'slowStartMs') ?? 0;
}

/** Whether any instance of the service takes time to come to its full share. */
export function warmsUp(policy: TrafficPolicy | undefined): boolean {
  if (policy === undefined) return false;
  return [policy, ...Object.values(policy.subsets)].some(
    (settings: TrafficSettings) => (settings.slowStartMs ?? 0) > 0,
  );
}

/** The limits of connections to an instance, and of requests that wait for one. */
export function connectionLimits(
  policy: TrafficPolicy | undefined,
  labels: Labels,
): CircuitLimits | undefined {
  return saidOfInstance(policy, labels, 'limits');
}

/** The rules of ejection for an instance. */
export function outlierOptions(
  policy: TrafficPolicy | undefined,
  labels: Labels,
  defaults: OutlierOptions,
): OutlierOptions {
  const said = saidOfInstance(policy, labels, 'outlier');
  return said === undefined ? defaults : { ...defaults, ...said };
}
