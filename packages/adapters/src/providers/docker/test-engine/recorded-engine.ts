import { readFileSync } from 'node:fs';
import { createAddressPolicy } from '@portolan/core';
import { findGatewayPlace, type PlaceSetting } from '../address/gateway-place.ts';
import type { ConvertContext } from '../convert/convert-container.ts';
import {
  parseContainer,
  parseInfo,
  parseNetwork,
  parseNetworks,
  parseNodes,
  parseServices,
  parseTasks,
} from '../engine/engine-json.ts';
import type { ContainerFacts, SwarmFacts } from '../facts.ts';

/** A document that Docker Engine 20.10.24 answered; paths and what nobody reads were left out. */
export function readRecorded(name: string): string {
  return readFileSync(new URL(`recorded/${name}`, import.meta.url), 'utf8');
}

function readJson(name: string): unknown {
  return JSON.parse(readRecorded(name));
}

/** The containers that were running, by id. */
export function recordedContainers(): Map<string, ContainerFacts> {
  const containers = (readJson('inspect.json') as unknown[]).map(parseContainer);
  return new Map(containers.map((container) => [container.id, container]));
}

export function recordedSwarm(): SwarmFacts {
  return {
    services: parseServices(readJson('services.json')),
    tasks: parseTasks(readJson('tasks.json')),
    nodes: parseNodes(readJson('nodes.json')),
  };
}

/** What conversions of the recorded engine are judged by; `inside` names the container that the gateway runs in. */
export function recordedContext(
  options: {
    inside?: string;
    gatewayOn?: PlaceSetting;
    allowLoopback?: boolean;
    more?: Partial<ConvertContext>;
    /** Another driver for one network, by name. */
    drivers?: Readonly<Record<string, string>>;
  } = {},
): ConvertContext {
  const containers = recordedContainers();
  const outward = parseNetwork(readJson('docker_gwbridge.json'));
  const networks = parseNetworks(readJson('networks.json')).map((network) => ({
    ...(network.name === outward.name ? outward : network),
    driver: options.drivers?.[network.name] ?? network.driver,
  }));
  const own = [...containers.values()].find(({ name }) => name === options.inside);
  const policy = createAddressPolicy({
    allowLoopback: options.allowLoopback ?? true,
    ownEndpoints: [],
  });
  const facts = { apiVersion: '1.41', version: '', ...parseInfo(readJson('info.json')) };
  return {
    place: findGatewayPlace({
      setting: options.gatewayOn ?? 'auto',
      engine: { kind: 'unix', path: '/var/run/docker.sock' },
      facts,
      ownIds: own ? [own.id] : [],
      containers,
      networks,
      internalHosts: [],
    }),
    networks: new Map(networks.map((network) => [network.id, network])),
    containers,
    namespace: 'default',
    exposeByDefault: false,
    defaultNetworks: [],
    mayDial: (ip, port) => policy.check(ip, port),
    draining: new Map(),
    restarting: new Map(),
    skipTasks: true,
    swarmNodeId: facts.swarm?.nodeId,
    ...options.more,
  };
}
