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

/** How long an instance takes to come to its full share: as the first of its subsets says, else the service. */
export function slowStartMs(policy: TrafficPolicy | undefined, labels: Labels): number {
  if (policy === undefined) return 0;
  for (const subset of Object.values(policy.subsets)) {
    if (subset.slowStartMs !== undefined && matchesLabels(labels, subset.labels)) {
      return subset.slowStartMs;
    }
  }
  return policy.slowStartMs ?? 0;
}

/** The rules of ejection for an instance. */
export function outlierOptions(
  policy: TrafficPolicy | undefined,
  labels: Labels,
  defaults: OutlierOptions,
): OutlierOptions {
  if (policy === undefined) return defaults;
  for (const subset of Object.values(policy.subsets)) {
    if (subset.outlier !== undefined && matchesLabels(labels, subset.labels)) {
      return { ...defaults, ...subset.outlier };
    }
  }
  return policy.outlier === undefined ? defaults : { ...defaults, ...policy.outlier };
}
