import type { ContainerFacts, NetworkFacts } from '../facts.ts';

/** The bridge by which containers in overlay networks reach their machine, and it them. */
export const GATEWAY_BRIDGE = 'docker_gwbridge';

/** The container with its place in that bridge, which its own inspection does not tell. */
export function withGatewayBridge(
  container: ContainerFacts,
  networks: ReadonlyMap<string, NetworkFacts>,
): ContainerFacts {
  for (const { id, name, endpoints } of networks.values()) {
    const ipv4 = name === GATEWAY_BRIDGE ? endpoints?.[container.id] : undefined;
    if (ipv4 === undefined) continue;
    return { ...container, attachments: [...container.attachments, { name, id, ipv4 }] };
  }
  return container;
}
