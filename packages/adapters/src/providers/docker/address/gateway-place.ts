import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { EngineAddress } from '../engine/engine-address.ts';
import type { ContainerFacts, EngineFacts, NetworkFacts } from '../facts.ts';
import { GATEWAY_BRIDGE } from './gateway-bridge.ts';

/** How the gateway stands to the engine's networks. */
export interface GatewayPlace {
  /**
   * `host`: on the engine's machine, where its bridges are. `container`: in one of its containers. `elsewhere`: neither, so
   * only what the machine publishes can be reached.
   */
  readonly kind: 'host' | 'container' | 'elsewhere';
  /** The gateway's own container. */
  readonly containerId?: string;
  /** Ids of the networks that its container is in. */
  readonly networkIds: ReadonlySet<string>;
  /** Addresses at which the engine's machine may be reached, the first one that may be dialled counts. */
  readonly hostAddresses: readonly string[];
  /** How this was found out, for people. */
  readonly why: string;
}

export type PlaceSetting = 'auto' | GatewayPlace['kind'];

export interface PlaceInput {
  readonly setting: PlaceSetting;
  /** Configured address of the engine's machine. */
  readonly hostAddress?: string | undefined;
  readonly engine: EngineAddress;
  readonly facts: EngineFacts;
  /** Container ids that this process may be in. */
  readonly ownIds: readonly string[];
  readonly containers: ReadonlyMap<string, ContainerFacts>;
  readonly networks: readonly NetworkFacts[];
  /** What `host.docker.internal` and the like resolve to here. */
  readonly internalHosts: readonly string[];
  /** Address of the engine's host, where it is reached by a name. */
  readonly engineIp?: string | undefined;
}

/** Where the gateway is. Asked again at each snapshot: networks come and go. */
export function findGatewayPlace(input: PlaceInput): GatewayPlace {
  const { setting, engine, facts, hostAddress } = input;
  const own = findOwn(input);
  const inside = own !== undefined && own.networkMode !== 'host';
  const found = hostAddress === undefined ? [] : [hostAddress];
  const bridges = bridgeGateways(input);
  if (setting === 'container' || (setting === 'auto' && inside)) {
    const gateways = (own?.attachments ?? []).flatMap(({ gateway }) => (gateway ? [gateway] : []));
    // Out of an overlay network a container goes by a bridge that its inspection does not name.
    const outward = input.networks.find(({ name }) => name === GATEWAY_BRIDGE)?.gateways ?? [];
    if (gateways.length === 0) gateways.push(...outward);
    return {
      kind: 'container',
      ...(own === undefined ? {} : { containerId: own.id }),
      networkIds: new Set((own?.attachments ?? []).map(({ id }) => id)),
      hostAddresses: found.length > 0 ? found : [...input.internalHosts, ...gateways],
      why: own === undefined ? 'as configured' : `this process runs in container ${own.name}`,
    };
  }
  const remote = engine.kind === 'tcp' && !isLocal(engine.host) ? engine.host : undefined;
  const away =
    setting === 'elsewhere' ||
    (setting === 'auto' && own === undefined && (facts.hidden || remote !== undefined));
  if (away) {
    return {
      kind: 'elsewhere',
      networkIds: new Set(),
      hostAddresses: found.length > 0 ? found : [input.engineIp ?? remote ?? '127.0.0.1'],
      why: facts.hidden
        ? 'the engine keeps its networks from its machine (Docker Desktop or rootless)'
        : setting === 'elsewhere'
          ? 'as configured'
          : `the engine is on ${remote}`,
    };
  }
  return {
    kind: 'host',
    ...(own === undefined ? {} : { containerId: own.id }),
    networkIds: new Set(),
    hostAddresses: found.length > 0 ? found : ['127.0.0.1', ...bridges],
    why:
      own === undefined
        ? 'this process runs on the engine’s machine'
        : `container ${own.name} shares the network of its machine`,
  };
}

/** Addresses that the machine has in its bridges. The default bridge tells its own only to its containers. */
function bridgeGateways({ networks, containers }: PlaceInput): readonly string[] {
  const bridges = networks.filter(({ driver }) => driver === 'bridge');
  const ids = new Set(bridges.map(({ id }) => id));
  const told = [...containers.values()].flatMap(({ attachments }) =>
    attachments.flatMap(({ id, gateway }) => (gateway && ids.has(id) ? [gateway] : [])),
  );
  return [...new Set([...bridges.flatMap(({ gateways }) => gateways), ...told])].sort();
}

function findOwn({ ownIds, containers }: PlaceInput): ContainerFacts | undefined {
  for (const id of ownIds) {
    for (const container of containers.values()) {
      if (id.length >= 12 && container.id.startsWith(id)) return container;
    }
  }
  return undefined;
}

function isLocal(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/** Ids of the container this process may run in: as its mounts say, else its host name, which is one unless changed. */
export function ownContainerIds(): readonly string[] {
  const ids: string[] = [];
  try {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
    const mounted =
      /containers\/([0-9a-f]{64})\/(?:userdata\/)?(?:hostname|hosts|resolv\.conf)/.exec(
        mounts,
      )?.[1];
    if (mounted !== undefined) ids.push(mounted);
  } catch {
    // No Linux: then it is in no container of Linux either.
  }
  const name = hostname();
  if (/^[0-9a-f]{12}$/.test(name)) ids.push(name);
  return ids;
}
