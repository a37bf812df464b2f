import type { AddressVerdict } from '@portolan/core';
import type { Attachment, ContainerFacts, ExposedPort, NetworkFacts } from '../facts.ts';
import { withGatewayBridge } from './gateway-bridge.ts';
import type { GatewayPlace } from './gateway-place.ts';

/** An address and why it is it. */
export interface ChosenAddress {
  readonly address: string;
  readonly port: number;
  readonly rule: string;
}

export interface AddressChoice {
  readonly chosen?: ChosenAddress;
  /** In the order in which they were tried. */
  readonly passedOver: readonly { readonly candidate: string; readonly reason: string }[];
  /** Why there is none. */
  readonly reason?: string;
}

/** Whether the gateway may dial it. */
export type MayDial = (ip: string, port: number) => AddressVerdict;

export interface AddressQuestion {
  /** Whose networks and bindings count: with `network_mode: container:X` that is X. */
  readonly container: ContainerFacts;
  /** Port inside the container. */
  readonly port: number;
  readonly place: GatewayPlace;
  readonly networks: ReadonlyMap<string, NetworkFacts>;
  /** As labels name them, first one first. */
  readonly wantedNetworks: readonly string[];
  /** As a label says it. */
  readonly address?: string | undefined;
  readonly mayDial: MayDial;
}

type Passed = { candidate: string; reason: string };

/**
 * The address for the gateway to dial, always the same one for the same facts. In this order: a label's address; the engine's
 * machine for `network_mode: host`; a network that the gateway reaches (those that labels name first, then those that it
 * shares, then by name); a port that the engine's machine publishes.
 */
export function chooseAddress(question: AddressQuestion): AddressChoice {
  const { container, port, place, address, mayDial } = question;
  const passedOver: Passed[] = [];
  const accept = (ip: string, at: number, rule: string): ChosenAddress | undefined => {
    const verdict = mayDial(ip, at);
    if (verdict.allowed) return { address: ip, port: at, rule };
    passedOver.push({ candidate: `${ip}:${at} (${rule})`, reason: verdict.reason });
    return undefined;
  };
  const none = (reason: string): AddressChoice => ({ passedOver, reason });

  if (address !== undefined) {
    const chosen = accept(address, port, 'label portolan.address');
    return chosen ? { chosen, passedOver } : none('the address of the label may not be dialled');
  }
  if (container.networkMode === 'none') {
    return none('the container has no network (network_mode: none)');
  }
  if (container.networkMode === 'host') {
    for (const host of place.hostAddresses) {
      const chosen = accept(host, port, 'the engine’s machine (network_mode: host)');
      if (chosen) return { chosen, passedOver };
    }
    return none('the engine’s machine has no address that may be dialled: set docker.hostAddress');
  }
  const seen = place.kind === 'host' ? withGatewayBridge(container, question.networks) : container;
  for (const attachment of inOrder({ ...question, container: seen })) {
    const network = question.networks.get(attachment.id);
    const candidate = `network ${attachment.name}`;
    const ip = attachment.ipv4 ?? attachment.ipv6;
    if (ip === undefined) {
      passedOver.push({ candidate, reason: 'the container has no address in it (yet)' });
      continue;
    }
    const obstacle = whyUnreachable(attachment, network, place);
    if (obstacle !== undefined) {
      passedOver.push({ candidate: `${ip}:${port} (${candidate})`, reason: obstacle });
      continue;
    }
    const chosen = accept(ip, port, ruleOf(attachment, network, question));
    if (chosen) return { chosen, passedOver };
  }
  const published = container.ports.find((one) => one.port === port && one.protocol === 'tcp');
  const chosen = choosePublished(published, place, accept, passedOver);
  if (chosen) return { chosen, passedOver };
  return none(
    place.kind === 'container'
      ? 'it shares no network with the gateway’s container and publishes the port nowhere the gateway reaches'
      : 'none of its networks can be reached from the gateway, and the port is not published',
  );
}

/** Labels first, then what is shared with the gateway, then by name: never as a map happens to be ordered. */
function inOrder({ container, wantedNetworks, place }: AddressQuestion): readonly Attachment[] {
  const rank = ({ name, id }: Attachment): number => {
    // Compose puts the project's name in front of its networks.
    const wanted = wantedNetworks.findIndex((want) => want === name || name.endsWith(`_${want}`));
    if (wanted >= 0) return wanted;
    return wantedNetworks.length + (place.networkIds.has(id) ? 0 : 1);
  };
  return [...container.attachments].sort(
    (a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  );
}

function whyUnreachable(
  { id }: Attachment,
  network: NetworkFacts | undefined,
  place: GatewayPlace,
): string | undefined {
  if (place.kind === 'container') {
    return place.networkIds.has(id) ? undefined : 'the gateway’s container is not in this network';
  }
  if (place.kind === 'elsewhere') return `the gateway does not reach the engine’s networks`;
  if (!network) return 'the network is not known (yet)';
  switch (network.driver) {
    case 'bridge':
      return undefined;
    case 'macvlan':
    case 'ipvlan':
      return `a machine does not reach its own ${network.driver} containers`;
    case 'overlay':
      return 'an overlay network is reached from containers only';
    default:
      return `networks of driver ${network.driver} are not known to be reachable from the machine`;
  }
}

function ruleOf(
  { name, id }: Attachment,
  network: NetworkFacts | undefined,
  { wantedNetworks, place }: AddressQuestion,
): string {
  const driver = network?.driver ?? '';
  if (wantedNetworks.some((want) => want === name || name.endsWith(`_${want}`))) {
    return `network ${name} (${driver}), named by a label`;
  }
  if (place.networkIds.has(id)) return `network ${name} (${driver}), shared with the gateway`;
  return `network ${name} (${driver}), reached from the machine`;
}

function choosePublished(
  published: ExposedPort | undefined,
  place: GatewayPlace,
  accept: (ip: string, port: number, rule: string) => ChosenAddress | undefined,
  passedOver: Passed[],
): ChosenAddress | undefined {
  for (const { hostIp, hostPort } of published?.bindings ?? []) {
    const rule = `port ${hostPort} published by the machine`;
    const everywhere = hostIp === '' || hostIp === '0.0.0.0' || hostIp === '::';
    if (!everywhere && /^(?:127\.|::1$)/.test(hostIp) && place.kind === 'container') {
      const candidate = `${hostIp}:${hostPort} (${rule})`;
      passedOver.push({
        candidate,
        reason: 'only the machine itself reaches its loopback address',
      });
      continue;
    }
    for (const address of everywhere ? place.hostAddresses : [hostIp]) {
      const chosen = accept(address, hostPort, rule);
      if (chosen) return chosen;
    }
  }
  return undefined;
}
