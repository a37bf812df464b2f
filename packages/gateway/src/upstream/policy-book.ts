import {
  type Labels,
  matchesLabels,
  type ServiceKey,
  type StoredTrafficPolicy,
  serviceId,
  type TransportPolicy,
} from '@portolan/core';

/** The traffic policies in force, by service. */
export interface PolicyBook {
  of(service: ServiceKey): StoredTrafficPolicy | undefined;
  /** Takes the whole list and returns the services whose policy came, went or was written again. */
  apply(policies: readonly StoredTrafficPolicy[]): readonly ServiceKey[];
}

/** Makes a book without policies. */
export function createPolicyBook(): PolicyBook {
  let known = new Map<string, StoredTrafficPolicy>();
  return {
    of: (service) => known.get(serviceId(service)),
    apply(policies) {
      const next = new Map(policies.map((policy) => [serviceId(toService(policy)), policy]));
      const changed: ServiceKey[] = [];
      for (const [id, policy] of next) {
        if (known.get(id)?.modifyRevision !== policy.modifyRevision)
          changed.push(toService(policy));
      }
      for (const [id, policy] of known) if (!next.has(id)) changed.push(toService(policy));
      known = next;
      return changed;
    },
  };
}

function toService({ namespace, group, service }: StoredTrafficPolicy): ServiceKey {
  return { namespace, group, name: service };
}

/** How an instance is spoken to: as the first of its subsets that says so, else as the whole service. */
export function transportPolicy(
  policy: StoredTrafficPolicy | undefined,
  labels: Labels,
): TransportPolicy | undefined {
  if (policy === undefined) return undefined;
  for (const subset of Object.values(policy.subsets)) {
    if (subset.transport !== undefined && matchesLabels(labels, subset.labels)) {
      return subset.transport;
    }
  }
  return policy.transport;
}
