import type { Condition, ProvidedInstance, ServiceKey } from '@portolan/core';
import { chooseAddress, type MayDial } from '../address/choose-address.ts';
import { choosePort, exposedPorts } from '../address/choose-port.ts';
import type { GatewayPlace } from '../address/gateway-place.ts';
import type { ContainerFacts, NetworkFacts } from '../facts.ts';
import { readLabels } from '../labels/read-labels.ts';
import type { LabelWishes, ServiceWish } from '../labels/wish.ts';
import type { ContainerReport, Converted, RoutePart, ServiceReport } from './report.ts';
import { toInstance, toServiceName } from './to-instance.ts';
import { toRouteParts } from './to-routes.ts';

/** What all containers are judged by. */
export interface ConvertContext {
  readonly place: GatewayPlace;
  /** By id. */
  readonly networks: ReadonlyMap<string, NetworkFacts>;
  /** By id. */
  readonly containers: ReadonlyMap<string, ContainerFacts>;
  readonly namespace: string;
  /** Whether containers without any label are registered too. */
  readonly exposeByDefault: boolean;
  readonly defaultNetworks: readonly string[];
  readonly mayDial: MayDial;
  /** Containers that were told to stop, and how. */
  readonly draining: ReadonlyMap<string, string>;
  /** Containers that come up and die again and again, and what is known of it. */
  readonly restarting: ReadonlyMap<string, string>;
  /** Swarm tasks are asked for as such; their containers are not looked at a second time. */
  readonly skipTasks: boolean;
  /** The node this engine is, in a swarm that it manages. */
  readonly swarmNodeId?: string | undefined;
}

const wishes = new WeakMap<ContainerFacts, LabelWishes>();

/** Pure: the same facts give the same instances, routes and reasons. */
export function convertContainer(container: ContainerFacts, context: ConvertContext): Converted {
  const known = wishes.get(container) ?? readLabels(container.labels, container.environment);
  wishes.set(container, known);
  const head = { container, known };
  const refusal = whyIgnored(container, known, context);
  if (refusal !== undefined) return nothing(head, 'ignored', refusal);
  if (known.problems.length > 0) return nothing(head, 'unroutable', known.problems.join('; '));
  const loop = context.restarting.get(container.id);
  if (loop !== undefined) return comingBack(head, 'unroutable', loop, context);
  if (container.state === 'restarting') {
    return comingBack(head, 'stopped', 'the container is restarting', context);
  }
  if (container.state !== 'running' && container.state !== 'paused') {
    return nothing(head, 'stopped', `the container is ${container.state}`);
  }
  const home = findHome(container, context.containers);
  if (typeof home === 'string') return nothing(head, 'unroutable', home);

  const condition = conditionOf(container, home, context.draining);
  const instances: ProvidedInstance[] = [];
  const routes: RoutePart[] = [];
  const canaries: { service: ServiceKey; percent: number }[] = [];
  const services: ServiceReport[] = [];
  const reasons: string[] = [];
  for (const wish of expand(known, container)) {
    const service = serviceKeyOf(wish, container, context);
    const port = choosePort(container, wish.port);
    if (port.port === undefined) {
      reasons.push(port.rule);
      continue;
    }
    const choice = chooseAddress({
      container: home,
      port: port.port,
      place: context.place,
      networks: context.networks,
      wantedNetworks: known.networks.length > 0 ? known.networks : context.defaultNetworks,
      address: known.address,
      mayDial: context.mayDial,
    });
    const id = wish.id ?? `${service.name}-${container.id.slice(0, 12)}-${port.port}`;
    services.push({ service: service.name, instanceId: id, portRule: port.rule, choice });
    if (!choice.chosen) {
      reasons.push(`port ${port.port}: ${choice.reason ?? ''}`);
      continue;
    }
    routes.push(...toRouteParts(wish, service));
    if (wish.canary !== undefined) canaries.push({ service, percent: wish.canary });
    instances.push(
      toInstance({
        wish,
        service,
        id,
        chosen: choice.chosen,
        port: port.port,
        condition,
        about: {
          container: container.name,
          image: container.image,
        },
      }),
    );
  }
  const standing = instances.length > 0 ? 'registered' : 'unroutable';
  const reason = instances.length > 0 ? (condition?.reason ?? '') : reasons.join('; ');
  const partly = instances.length > 0 ? reasons : [];
  return {
    report: {
      ...toReport(head, standing, reason),
      services,
      routes: routes.map(({ route }) => route.name),
      notes: [...known.notes, ...partly],
    },
    instances,
    routes,
    canaries,
  };
}

type Head = { readonly container: ContainerFacts; readonly known: LabelWishes };

function toReport(
  { container, known }: Head,
  standing: ContainerReport['standing'],
  reason: string,
): ContainerReport {
  const { health } = container;
  return {
    kind: 'container',
    id: container.id,
    name: container.name,
    image: container.image,
    state: health === undefined ? container.state : `${container.state} (${health})`,
    standing,
    reason,
    exposedBy: known.by,
    services: [],
    routes: [],
    notes: known.notes,
  };
}

function nothing(head: Head, standing: ContainerReport['standing'], reason: string): Converted {
  return { report: toReport(head, standing, reason), instances: [], routes: [], canaries: [] };
}

/** It will be there again: its routes stay, and are answered that nobody is there. */
function comingBack(
  head: Head,
  standing: ContainerReport['standing'],
  reason: string,
  context: ConvertContext,
): Converted {
  const routes = expand(head.known, head.container).flatMap((wish) =>
    toRouteParts(wish, serviceKeyOf(wish, head.container, context)),
  );
  return { ...nothing(head, standing, reason), routes };
}

function whyIgnored(
  container: ContainerFacts,
  known: LabelWishes,
  context: ConvertContext,
): string | undefined {
  if (container.id === context.place.containerId && known.exposed !== 'yes') {
    return 'it is the gateway itself';
  }
  if (context.skipTasks && container.labels['com.docker.swarm.task.id'] !== undefined) {
    return `it is a task of Swarm service ${container.labels['com.docker.swarm.service.name'] ?? ''}`;
  }
  if (known.exposed === 'no') return `${known.by} says so`;
  if (known.exposed === 'yes' || context.exposeByDefault) return undefined;
  return 'no label asks for it, and docker.exposeByDefault is off';
}

/** The container whose networks it uses; text when that one cannot be used. */
function findHome(
  container: ContainerFacts,
  containers: ReadonlyMap<string, ContainerFacts>,
): ContainerFacts | string {
  let home = container;
  // A chain of them is short; a ring cannot be, but costs nothing to survive.
  for (let steps = 0; steps < 8; steps++) {
    const wanted = /^container:(.+)$/.exec(home.networkMode)?.[1];
    if (wanted === undefined) return home;
    const next =
      containers.get(wanted) ??
      [...containers.values()].find(({ id, name }) => name === wanted || id.startsWith(wanted));
    if (!next) return `it uses the network of container ${wanted.slice(0, 12)}, which is not there`;
    if (next.state !== 'running' && next.state !== 'paused') {
      return `it uses the network of container ${next.name}, which is ${next.state}`;
    }
    home = next;
  }
  return 'its network_mode leads from container to container without end';
}

function conditionOf(
  container: ContainerFacts,
  home: ContainerFacts,
  draining: ReadonlyMap<string, string>,
): Condition | undefined {
  const stop = draining.get(container.id) ?? draining.get(home.id);
  if (stop !== undefined) return { state: 'draining', reason: stop };
  if (container.stopping || home.stopping) {
    return { state: 'draining', reason: 'the container was told to stop' };
  }
  if (container.state === 'paused' || home.state === 'paused') {
    return { state: 'paused', reason: 'the container is paused' };
  }
  if (container.health === 'starting') {
    return { state: 'starting', reason: 'its HEALTHCHECK has not passed yet' };
  }
  if (container.health === 'unhealthy') {
    return { state: 'unhealthy', reason: 'its HEALTHCHECK fails' };
  }
  return undefined;
}

/** With Registrator's variables each exposed port is a service; else one, or what labels name. */
function expand(known: LabelWishes, container: ContainerFacts): readonly ServiceWish[] {
  if (!known.eachPort) return known.services;
  const [base = {}, ...named] = known.services;
  const ports = [
    ...new Set([...exposedPorts(container), ...named.flatMap(({ port }) => port ?? [])]),
  ].sort((a, b) => a - b);
  if (ports.length === 0) return [base];
  const image = imageName(container.image);
  return ports.map((port) => {
    const own = named.find((wish) => wish.port === port);
    const name = own?.service ?? base.service ?? image;
    const isNamed = own?.service !== undefined && own.service !== base.service;
    const id = own?.id ?? (ports.length === 1 ? base.id : undefined);
    const { id: _id, ...shared } = own ?? base;
    return {
      ...shared,
      ...(id === undefined ? {} : { id }),
      service: ports.length > 1 && !isNamed ? `${name}-${port}` : name,
      port,
    };
  });
}

function serviceKeyOf(
  wish: ServiceWish,
  container: ContainerFacts,
  { namespace }: ConvertContext,
): ServiceKey {
  return {
    namespace: wish.namespace ?? namespace,
    group: wish.group ?? 'default',
    name: wish.service ?? defaultName(container),
  };
}

/** As Traefik names it: the compose service with its project, else the container. */
function defaultName({ labels, name }: ContainerFacts): string {
  const service = labels['com.docker.compose.service'];
  const project = labels['com.docker.compose.project'];
  const swarm = labels['com.docker.swarm.service.name'];
  if (swarm !== undefined) return toServiceName(swarm);
  return toServiceName(service && project ? `${service}-${project}` : (service ?? name));
}

/** `registry.example/team/web:1.2@sha256:…` is `web`. */
function imageName(image: string): string {
  const last = image.replace(/@.*$/, '').split('/').at(-1) ?? '';
  return toServiceName(last.replace(/:.*$/, '')) || 'container';
}
