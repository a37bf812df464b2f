import type { Condition, ProvidedInstance, ServiceKey } from '@portolan/core';
import {
  type AddressChoice,
  type ChosenAddress,
  chooseAddress,
} from '../address/choose-address.ts';
import type { NodeFacts, ServiceFacts, SwarmFacts, TaskFacts } from '../facts.ts';
import { readLabels } from '../labels/read-labels.ts';
import type { LabelWishes, ServiceWish } from '../labels/wish.ts';
import type { ConvertContext } from './convert-container.ts';
import type { ContainerReport, Converted } from './report.ts';
import { toInstance, toServiceName } from './to-instance.ts';
import { toRouteParts } from './to-routes.ts';

const wishes = new WeakMap<ServiceFacts, LabelWishes>();

/** Services of a swarm: each task that runs is an instance at its own address, where the gateway reaches it. */
export function convertSwarm(swarm: SwarmFacts, context: ConvertContext): readonly Converted[] {
  const nodes = new Map(swarm.nodes.map((node) => [node.id, node]));
  const tasks = new Map<string, TaskFacts[]>();
  for (const task of swarm.tasks) {
    const siblings = tasks.get(task.serviceId);
    if (siblings) siblings.push(task);
    else tasks.set(task.serviceId, [task]);
  }
  return swarm.services.flatMap((service) =>
    convertService(service, tasks.get(service.id) ?? [], nodes, context),
  );
}

function convertService(
  service: ServiceFacts,
  tasks: readonly TaskFacts[],
  nodes: ReadonlyMap<string, NodeFacts>,
  context: ConvertContext,
): readonly Converted[] {
  const known = wishes.get(service) ?? readLabels(service.labels, {});
  wishes.set(service, known);
  const report = toReport(service, known);
  const refused = (standing: ContainerReport['standing'], reason: string): readonly Converted[] => [
    { report: { ...report, standing, reason }, instances: [], routes: [], canaries: [] },
  ];
  if (known.exposed === 'no') return refused('ignored', `${known.by} says so`);
  if (known.exposed === 'default' && !context.exposeByDefault) {
    return refused('ignored', 'no label asks for it, and docker.exposeByDefault is off');
  }
  if (known.problems.length > 0) return refused('unroutable', known.problems.join('; '));

  const converted: Converted[] = [];
  for (const wish of known.services) {
    const key: ServiceKey = {
      namespace: wish.namespace ?? context.namespace,
      group: wish.group ?? 'default',
      name: wish.service ?? toServiceName(service.name),
    };
    const port = wish.port ?? lowestPort(service, tasks, context);
    if (port === undefined) {
      const reason =
        'a Swarm service tells no port of its image: say it by the label portolan.port';
      converted.push(...refused('unroutable', reason));
      continue;
    }
    const facts = { service, tasks, nodes, known, wish, key, port, report, context };
    const parts = known.virtualIp ? byVirtualIp(facts) : byTasks(facts);
    const canaries = wish.canary === undefined ? [] : [{ service: key, percent: wish.canary }];
    const routes = toRouteParts(wish, key);
    // Routes belong to the service, whether or not a task runs.
    converted.push({
      report: {
        ...report,
        standing: 'registered',
        reason: '',
        routes: routes.map(({ route }) => route.name),
      },
      instances: [],
      routes,
      canaries,
    });
    converted.push(...parts);
  }
  return converted;
}

interface Facts {
  readonly service: ServiceFacts;
  readonly tasks: readonly TaskFacts[];
  readonly nodes: ReadonlyMap<string, NodeFacts>;
  readonly known: LabelWishes;
  readonly wish: ServiceWish;
  readonly key: ServiceKey;
  readonly port: number;
  readonly report: ContainerReport;
  readonly context: ConvertContext;
}

function byTasks(facts: Facts): readonly Converted[] {
  const { tasks, context } = facts;
  const converted: Converted[] = [];
  let needsMesh = false;
  for (const task of tasks) {
    const node = facts.nodes.get(task.nodeId);
    const head = toTaskReport(facts, task, node);
    if (task.state !== 'running') {
      converted.push(empty({ ...head, standing: 'stopped', reason: `the task is ${task.state}` }));
      continue;
    }
    const choice = chooseTaskAddress(facts, task, node);
    if (!choice.chosen) {
      needsMesh = true;
      converted.push(empty(unroutable(head, facts, choice)));
      continue;
    }
    const condition = conditionOf(task, node, context);
    converted.push(registered(facts, head, choice, task.id.slice(0, 12), condition));
  }
  return needsMesh ? [...converted, ...byMesh(facts)] : converted;
}

/** The address of a task in a network that the gateway is in, else where its node publishes it by itself. */
function chooseTaskAddress(
  { known, port, context }: Facts,
  task: TaskFacts,
  node: NodeFacts | undefined,
): AddressChoice {
  const { place, networks, mayDial } = context;
  const passedOver: { candidate: string; reason: string }[] = [];
  const wanted = known.networks.length > 0 ? known.networks : context.defaultNetworks;
  const rank = ({ networkName, networkId }: TaskFacts['addresses'][number]): number => {
    const at = wanted.findIndex((want) => want === networkName || networkName.endsWith(`_${want}`));
    if (at >= 0) return at;
    return wanted.length + (place.networkIds.has(networkId) ? 0 : 1);
  };
  const ordered = [...task.addresses].sort(
    (a, b) => rank(a) - rank(b) || (a.networkName < b.networkName ? -1 : 1),
  );
  for (const { networkId, networkName, address } of ordered) {
    const candidate = `${address}:${port} (network ${networkName})`;
    if (networks.get(networkId)?.ingress || networkName === 'ingress') {
      passedOver.push({ candidate, reason: 'the ingress network carries published ports only' });
    } else if (place.kind !== 'container') {
      passedOver.push({ candidate, reason: 'an overlay network is reached from containers only' });
    } else if (!place.networkIds.has(networkId)) {
      passedOver.push({ candidate, reason: 'the gateway’s container is not in this network' });
    } else {
      const verdict = mayDial(address, port);
      const rule = `address of the task in network ${networkName}`;
      if (verdict.allowed) return { chosen: { address, port, rule }, passedOver };
      passedOver.push({ candidate, reason: verdict.reason });
    }
  }
  const container = context.containers.get(task.containerId);
  if (container && place.kind === 'host') {
    // A task of this very machine has an address in one of its bridges.
    const choice = chooseAddress({
      container,
      port,
      place,
      networks,
      wantedNetworks: wanted,
      mayDial,
    });
    if (choice.chosen) return { chosen: choice.chosen, passedOver };
  }
  const published = task.hostPorts.find((one) => one.port === port && one.protocol === 'tcp');
  if (published && node) {
    const rule = `port published by the task on node ${node.hostName || node.id} (mode host)`;
    const here = node.id === context.swarmNodeId ? place.hostAddresses : [];
    const addresses = [...here, node.address].filter(
      (address) => place.kind === 'host' || !/^(?:127\.|::1$)/.test(address),
    );
    for (const address of addresses) {
      const verdict = mayDial(address, published.published);
      if (verdict.allowed) {
        return { chosen: { address, port: published.published, rule }, passedOver };
      }
      passedOver.push({
        candidate: `${address}:${published.published} (${rule})`,
        reason: verdict.reason,
      });
    }
  }
  return {
    passedOver,
    reason:
      'the gateway is in none of the task’s networks, and the task publishes no port of its own',
  };
}

/** Where tasks cannot be reached one by one: the routing mesh, as one instance. */
function byMesh(facts: Facts): readonly Converted[] {
  const { service, port, context, report } = facts;
  const published = service.ports.find(
    (one) => one.port === port && one.mode === 'ingress' && one.protocol === 'tcp' && one.published,
  );
  if (!published) return [];
  const choice = firstAllowed(
    context.place.hostAddresses,
    published.published,
    `port ${published.published} of the routing mesh`,
    context,
  );
  const note =
    'its tasks are behind one address: they are not checked, weighted or drained one by one';
  const head = { ...report, notes: [...report.notes, note] };
  if (!choice.chosen) return [empty(unroutable(head, facts, choice))];
  return [registered(facts, head, choice, 'mesh', undefined)];
}

function byVirtualIp(facts: Facts): readonly Converted[] {
  const { service, context, report, port } = facts;
  if (service.endpointMode !== 'vip') {
    const note = `a virtual address was asked for, and endpoint_mode is ${service.endpointMode}: tasks are used`;
    return byTasks({ ...facts, report: { ...report, notes: [...report.notes, note] } });
  }
  const shared = service.virtualIps.filter(({ networkId }) =>
    context.place.networkIds.has(networkId),
  );
  const choice = firstAllowed(
    shared.map(({ address }) => address),
    port,
    'virtual address of the service',
    context,
  );
  if (!choice.chosen) return byTasks(facts);
  return [registered(facts, report, choice, 'vip', undefined)];
}

function firstAllowed(
  addresses: readonly string[],
  port: number,
  rule: string,
  { mayDial }: ConvertContext,
): AddressChoice {
  const passedOver: { candidate: string; reason: string }[] = [];
  for (const address of addresses) {
    const verdict = mayDial(address, port);
    if (verdict.allowed) return { chosen: { address, port, rule }, passedOver };
    passedOver.push({ candidate: `${address}:${port} (${rule})`, reason: verdict.reason });
  }
  return { passedOver, reason: 'none of its addresses may be dialled' };
}

function registered(
  { wish, key, port, service }: Facts,
  report: ContainerReport,
  choice: AddressChoice & { readonly chosen?: ChosenAddress },
  mark: string,
  condition: Condition | undefined,
): Converted {
  const id = `${key.name}-${mark}-${port}`;
  const { chosen } = choice;
  if (!chosen) throw new Error('registered without an address');
  const instance: ProvidedInstance = toInstance({
    wish,
    service: key,
    id,
    chosen,
    port,
    condition,
    about: { container: report.name, image: service.image.replace(/@.*$/, '') },
  });
  return {
    report: {
      ...report,
      standing: 'registered',
      reason: condition?.reason ?? '',
      services: [{ service: key.name, instanceId: id, portRule: portRule(wish), choice }],
    },
    instances: [instance],
    routes: [],
    canaries: [],
  };
}

function conditionOf(
  task: TaskFacts,
  node: NodeFacts | undefined,
  context: ConvertContext,
): Condition | undefined {
  const stop = context.draining.get(task.containerId);
  if (stop !== undefined) return { state: 'draining', reason: stop };
  if (node?.availability === 'drain') {
    return { state: 'draining', reason: `node ${node.hostName || node.id} is drained` };
  }
  if (node?.state === 'down') {
    return { state: 'unhealthy', reason: `node ${node.hostName || node.id} is down` };
  }
  const container = context.containers.get(task.containerId);
  if (container?.state === 'paused') return { state: 'paused', reason: 'the container is paused' };
  if (container?.health === 'unhealthy') {
    return { state: 'unhealthy', reason: 'its HEALTHCHECK fails' };
  }
  return undefined;
}

function lowestPort(
  service: ServiceFacts,
  tasks: readonly TaskFacts[],
  { containers }: ConvertContext,
): number | undefined {
  const published = service.ports
    .filter(({ protocol }) => protocol === 'tcp')
    .map((one) => one.port);
  // A task of this very node: its container tells what the image exposes.
  const exposed = tasks.flatMap((task) =>
    (containers.get(task.containerId)?.ports ?? [])
      .filter(({ protocol }) => protocol === 'tcp')
      .map(({ port }) => port),
  );
  const [lowest] = [...(published.length > 0 ? published : exposed)].sort((a, b) => a - b);
  return lowest;
}

function portRule(wish: ServiceWish): string {
  return wish.port === undefined ? 'the lowest port of the service' : 'label';
}

function toReport(service: ServiceFacts, known: LabelWishes): ContainerReport {
  return {
    kind: 'service',
    id: service.id,
    name: service.name,
    image: service.image.replace(/@.*$/, ''),
    state: `endpoint_mode ${service.endpointMode}`,
    standing: 'unroutable',
    reason: '',
    exposedBy: known.by,
    services: [],
    routes: [],
    notes: known.notes,
  };
}

function toTaskReport(
  { report, service }: Facts,
  task: TaskFacts,
  node: NodeFacts | undefined,
): ContainerReport {
  const at = task.slot > 0 ? String(task.slot) : (node?.hostName ?? task.nodeId);
  return {
    ...report,
    kind: 'task',
    id: task.id,
    name: `${service.name}.${at}.${task.id}`,
    state: task.state,
  };
}

function unroutable(head: ContainerReport, facts: Facts, choice: AddressChoice): ContainerReport {
  const { key, port, wish } = facts;
  return {
    ...head,
    standing: 'unroutable',
    reason: `port ${port}: ${choice.reason ?? ''}`,
    services: [{ service: key.name, instanceId: '', portRule: portRule(wish), choice }],
  };
}

function empty(report: ContainerReport): Converted {
  return { report, instances: [], routes: [], canaries: [] };
}
