import { RegistryError } from '@portolan/core';
import { parseJsonBody } from '../../body/json-body.ts';
import { illegal } from '../nacos-error.ts';
import {
  checkInstance,
  type NacosInstance,
  readInstanceJson,
  readMetadataText,
  readPort,
  readWeight,
} from '../nacos-instance.ts';
import type { InstanceUpdate } from '../nacos-lifecycle.ts';
import { notFound } from '../nacos-lifecycle.ts';
import { groupedName, NACOS_DEFAULT_CLUSTER } from '../nacos-names.ts';
import { clusterOf, forFirstClients, isEphemeral, toHost } from '../service-info.ts';
import { findAt } from '../to-registration.ts';
import type { NacosCall, Parameters } from './nacos-call.ts';
import {
  type NacosContext,
  type NacosOperation,
  serviceInfoOf,
  serviceOf,
} from './nacos-context.ts';

const OK_CODE = 10_200;
const NOT_FOUND_CODE = 20_404;

/** Registering, heartbeats, and reading: what every client does. */
export function instanceOperations(context: NacosContext): NacosOperation[] {
  const { registry, lifecycle } = context;

  async function register(call: NacosCall) {
    const service = serviceOf(context, call);
    const instance = instanceOf(call.parameters);
    await lifecycle.register(service, instance, instance.ephemeral ? 'beat' : 'nobody');
    return 'ok';
  }
  async function update(call: NacosCall, whole: boolean) {
    const service = serviceOf(context, call);
    const { ip, port } = addressOf(call.parameters);
    await lifecycle.update(service, ip, port, updateOf(call.parameters, whole));
    return 'ok';
  }
  async function beat(call: NacosCall) {
    const { parameters } = call;
    const service = serviceOf(context, call);
    const text = parameters.get('beat');
    const whole = text === undefined ? undefined : readBeat(text);
    const at = whole ?? addressOf(parameters);
    const interval = await lifecycle.beat(service, at, whole);
    return interval === undefined
      ? { clientBeatInterval: 5_000, code: NOT_FOUND_CODE, lightBeatEnabled: true }
      : { clientBeatInterval: interval, code: OK_CODE, lightBeatEnabled: true };
  }
  function list(call: NacosCall) {
    const { parameters, request } = call;
    const service = serviceOf(context, call);
    const clusters = parameters.get('clusters', 'clusterName') ?? '';
    const healthyOnly = parameters.flag(false, 'healthyOnly');
    const udpPort = parameters.whole('udpPort', 0);
    if (udpPort > 65_535) throw illegal('udpPort', 'a port', String(udpPort));
    if (udpPort > 0) {
      // To the address that asks, whatever it calls its own: a push to another one would be a weapon.
      const host = request.remoteAddress.replace(/^::ffff:/, '');
      context.udp.subscribe({ host, port: udpPort }, { service, clusters });
    }
    const info = serviceInfoOf(context, service, { clusters, healthyOnly });
    return call.api === 'v3' ? info.hosts : forFirstClients(info, service);
  }

  return [
    {
      method: 'POST',
      path: '/instance',
      versions: ['v1', 'v2', 'v3'],
      async handle(call) {
        const { api, parameters } = call;
        if (api !== 'v3' || !parameters.flag(false, 'heartBeat')) return register(call);
        // The third version beats where it registers.
        const service = serviceOf(context, call);
        const at = addressOf(parameters);
        if ((await lifecycle.beat(service, at, undefined)) !== undefined) return 'ok';
        throw notFound(service, at.ip, at.port);
      },
    },
    {
      method: 'DELETE',
      path: '/instance',
      versions: ['v1', 'v2', 'v3'],
      async handle(call) {
        const { ip, port } = addressOf(call.parameters);
        await lifecycle.deregister(serviceOf(context, call).key, ip, port);
        return 'ok';
      },
    },
    { method: 'PUT', path: '/instance', handle: (call) => update(call, true) },
    { method: 'PATCH', path: '/instance', handle: (call) => update(call, false) },
    {
      method: 'GET',
      path: '/instance',
      handle(call) {
        const service = serviceOf(context, call);
        const { ip, port } = addressOf(call.parameters);
        const cluster = call.parameters.get('cluster', 'clusterName') ?? NACOS_DEFAULT_CLUSTER;
        if ((registry.view(service.key)?.instances.length ?? 0) === 0) {
          const detail = `no ips found for cluster ${cluster} in service ${groupedName(service)}`;
          throw new RegistryError('INSTANCE_NOT_FOUND', { detail: detail.slice(0, 400) });
        }
        const found = findAt(registry, service.key, ip, port);
        if (!found || clusterOf(found) !== cluster) throw notFound(service, ip, port);
        const { instanceId, weight, healthy, metadata } = toHost(found, service);
        const name =
          call.api === 'v1'
            ? { service: groupedName(service) }
            : { serviceName: groupedName(service) };
        return { ...name, ip, port, clusterName: cluster, weight, healthy, instanceId, metadata };
      },
    },
    { method: 'GET', path: '/instance/list', versions: ['v1', 'v2', 'v3'], handle: list },
    { method: 'PUT', path: '/instance/beat', admission: 'heartbeat', handle: beat },
    {
      method: 'PUT',
      path: '/health/instance',
      async handle(call) {
        const service = serviceOf(context, call);
        const { ip, port } = addressOf(call.parameters);
        call.parameters.required('healthy');
        const healthy = call.parameters.flag(true, 'healthy');
        const found = findAt(registry, service.key, ip, port);
        if (!found) throw notFound(service, ip, port);
        if (found.checks.length > 0) {
          const name = groupedName(service).slice(0, 200);
          throw new RegistryError('VALIDATION_FAILED', {
            detail: `health check is still working, service: ${name}, cluster: ${clusterOf(found)}`,
          });
        }
        const status = healthy ? 'passing' : 'critical';
        await registry.heartbeat({ namespace: service.key.namespace, id: found.id }, { status });
        return 'ok';
      },
    },
    {
      method: 'PUT',
      path: '/instance/metadata/batch',
      handle: (call) => metadataBatch(context, call, false),
    },
    {
      method: 'DELETE',
      path: '/instance/metadata/batch',
      handle: (call) => metadataBatch(context, call, true),
    },
  ];
}

/** Metadata of several instances, or of all, is merged or its keys are taken away. */
async function metadataBatch(context: NacosContext, call: NacosCall, remove: boolean) {
  const { registry } = context;
  const { parameters } = call;
  const { key } = serviceOf(context, call);
  const metadata = readMetadataText(parameters.required('metadata'));
  const patch = remove
    ? Object.fromEntries(Object.keys(metadata).map((name) => [name, null]))
    : metadata;
  const named = parameters.get('instances');
  const wanted = named === undefined ? undefined : readAddresses(named);
  const instances = (registry.view(key)?.instances ?? []).filter(
    ({ address, port }) => wanted === undefined || wanted.has(`${address} ${port}`),
  );
  const updated: string[] = [];
  for (const instance of instances) {
    await registry.patch({ namespace: key.namespace, id: instance.id }, { metadata: patch });
    const kind = isEphemeral(instance) ? 'ephemeral' : 'persist';
    updated.push(`${instance.address}:${instance.port}:unknown:${clusterOf(instance)}:${kind}`);
  }
  return { updated };
}

function readAddresses(text: string): ReadonlySet<string> {
  const list = readJson(text, 'instances');
  if (!Array.isArray(list)) throw illegal('instances', 'a JSON list', text);
  return new Set(
    list.map((item) => {
      const { ip, port } = readInstanceJson(item);
      return `${ip} ${port}`;
    }),
  );
}

function readBeat(text: string): NacosInstance {
  return readInstanceJson(readJson(text, 'beat'));
}

function readJson(text: string, name: string): unknown {
  try {
    return parseJsonBody(new TextEncoder().encode(text));
  } catch {
    throw illegal(name, 'JSON', text);
  }
}

function addressOf(parameters: Parameters): { ip: string; port: number } {
  return { ip: parameters.required('ip'), port: readPort(parameters.required('port')) };
}

function instanceOf(parameters: Parameters): NacosInstance {
  return checkInstance({
    ...addressOf(parameters),
    weight: readWeight(parameters.get('weight') ?? 1),
    enabled: parameters.flag(true, 'enabled', 'enable'),
    healthy: parameters.flag(true, 'healthy'),
    ephemeral: parameters.flag(true, 'ephemeral'),
    clusterName: parameters.get('clusterName', 'cluster') ?? NACOS_DEFAULT_CLUSTER,
    metadata: readMetadataText(parameters.get('metadata') ?? ''),
  });
}

/** A whole update has defaults for what is not said; metadata that is not said stays. */
function updateOf(parameters: Parameters, whole: boolean): InstanceUpdate {
  const weight = parameters.get('weight');
  const enabled = parameters.get('enabled', 'enable');
  const metadata = parameters.get('metadata');
  return {
    ...(weight === undefined && !whole ? {} : { weight: readWeight(weight ?? 1) }),
    ...(enabled === undefined && !whole
      ? {}
      : { enabled: parameters.flag(true, 'enabled', 'enable') }),
    ...(metadata === undefined ? {} : { metadata: readMetadataText(metadata) }),
  };
}
