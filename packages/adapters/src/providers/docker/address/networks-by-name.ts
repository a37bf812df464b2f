import type { NetworkFacts } from '../facts.ts';

const PODMAN_DEFAULT = 'podman';

/**
 * Networks by what containers call them. That is the id with Docker; Podman's containers say the name, and `podman` of the
 * one that it lists as `bridge`.
 */
export function networksByName(
  networks: readonly NetworkFacts[],
): ReadonlyMap<string, NetworkFacts> {
  const byName = new Map(networks.map((network) => [network.name, network]));
  const byDefault = byName.get('bridge');
  if (byDefault && !byName.has(PODMAN_DEFAULT)) byName.set(PODMAN_DEFAULT, byDefault);
  // An id is nobody else's.
  for (const network of networks) byName.set(network.id, network);
  return byName;
}
