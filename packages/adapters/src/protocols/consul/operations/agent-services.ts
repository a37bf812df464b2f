import {
  type CheckInput,
  type ControlReply,
  type ControlRequest,
  type HttpRoute,
  type Instance,
  type InstanceRef,
  type Registry,
  RegistryError,
  type ServiceView,
} from '@portolan/core';
import { aggregatedStatus, type CheckJson, toServiceChecksJson } from '../codecs/check-json.ts';
import { toAgentServiceJson, weightDivisor } from '../codecs/service-json.ts';
import type { ConsulContext } from '../consul-context.ts';
import { badRequest, ConsulError, textReply } from '../consul-error.ts';
import { claimedStatus, toCheckInput } from '../definitions/check-definition.ts';
import { readBody } from '../definitions/read-body.ts';
import {
  checksOf,
  refuseUnsupported,
  requireDefaultPartition,
  type ServiceDefinition,
  serviceDefinition,
  toAddress,
  toMeta,
  toPort,
  toWeight,
} from '../definitions/service-definition.ts';
import { compileFilter } from '../filter/compile-filter.ts';
import { FILTER_FIELDS } from '../filter/filter-fields.ts';
import { parseGoBool } from '../go-duration.ts';
import { callerAddress, findInstance, placeId, toServiceKey } from '../identity.ts';
import { DONE, jsonReply, LEFT_OUT, mapReply } from '../json-reply.ts';
import {
  flagParameter,
  namespaceOf,
  readOptions,
  requireDatacenter,
} from '../query/request-options.ts';
import { toTaggedAddresses, withStandInPort } from '../registration.ts';
import { toReservedLabels } from '../reserved-labels.ts';
import { storedCheckIds } from './check-ids.ts';
import { get, put } from './consul-route.ts';
import { presentViews, scanInstances } from './instance-scan.ts';

const UNTRUSTED = { trusted: false } as const;

/** `/v1/agent/service…`: this server is the one agent of every service. */
export function agentServiceRoutes(context: ConsulContext): HttpRoute[] {
  return [
    get('/agent/services', (request) => listServices(context, request)),
    put('/agent/service/register', (request) => registerService(context, request)),
    put('/agent/service/deregister/:id', (request, { id = '' }) =>
      deregisterService(context, request, id),
    ),
    put('/agent/service/maintenance/:id', (request, { id = '' }) =>
      maintainService(context, request, id),
    ),
    put('/agent/maintenance', (request) => maintainNode(context, request)),
    get('/agent/health/service/id/:id', (request, { id = '' }) =>
      readHealthById(context, request, id),
    ),
    get('/agent/health/service/name/:name', (request, { name = '' }) =>
      readHealthByName(context, request, name),
    ),
  ];
}

/** The instance that the caller means, or Consul's 404. */
export function requireInstance(
  { registry }: Pick<ConsulContext, 'registry'>,
  request: ControlRequest,
  namespace: string,
  id: string,
): Instance {
  const node = callerAddress(request.remoteAddress);
  const instance = findInstance(registry, namespace, id, node);
  if (instance) return instance;
  throw new ConsulError(
    404,
    `Unknown service ID ${JSON.stringify(id.slice(0, 256))}. Ensure that the service ID is passed, not the service name.`,
    'INSTANCE_NOT_FOUND',
  );
}

export function refOf(instance: Instance): InstanceRef {
  return { namespace: instance.service.namespace, id: instance.id };
}

function listServices(context: ConsulContext, request: ControlRequest): ControlReply {
  const options = readOptions(request, context.datacenter);
  const filter =
    options.filter === undefined
      ? () => true
      : compileFilter(options.filter, FILTER_FIELDS.service);
  const own = callerAddress(request.remoteAddress);
  const views = presentViews(context, options.namespace);
  return mapReply(context, agentServices(views, own, context.datacenter, filter), options.pretty);
}

/** Ids are unique on an agent only: of several the caller's own is shown under it, others under the id they are kept by. */
function* agentServices(
  views: readonly ServiceView[],
  own: string,
  datacenter: string,
  filter: (service: object) => boolean,
): Generator<readonly [string, object] | undefined> {
  for (const view of views) {
    const divisor = weightDivisor(view);
    for (const instance of view.instances) {
      const service = toAgentServiceJson(instance, divisor, datacenter);
      if (!filter(service)) {
        yield LEFT_OUT;
        continue;
      }
      const isForeign = service.ID !== instance.id && instance.address !== own;
      yield isForeign ? [instance.id, { ...service, ID: instance.id }] : [service.ID, service];
    }
  }
}

async function registerService(
  context: ConsulContext,
  request: ControlRequest,
): Promise<ControlReply> {
  const { query } = request;
  requireDatacenter(query, context.datacenter);
  const replace = flagParameter(query, 'replace-existing-checks');
  const definition = readBody(request, serviceDefinition);
  const { Name: name = '' } = definition;
  if (name === '') throw badRequest('Missing service name');
  const id = definition.ID || name;
  const namespace = namespaceOf(query, definition.Namespace);
  requireDefaultPartition(query.get('partition'));
  const own = callerAddress(request.remoteAddress);
  const address = toAddress(definition.Address, own);
  const place = { node: address, address, ownNode: address === own };
  await context.alone(`${namespace}/${id}`, async () => {
    const ref = placeId(context.registry, namespace, id, place);
    const present = context.registry.instance(ref);
    const kept = replace ? [] : (present?.checks ?? []);
    await context.registry.register(
      toRegistration(context.registry, definition, { ref, name, id, address, present, kept }),
      UNTRUSTED,
    );
  });
  return DONE;
}

interface RegistrationPlace {
  readonly ref: InstanceRef;
  readonly name: string;
  readonly id: string;
  readonly address: string;
  readonly present: Instance | undefined;
  /** Checks that stay unless the body has others of their ids. */
  readonly kept: readonly CheckInput[];
}

function toRegistration(
  registry: Registry,
  definition: ServiceDefinition,
  { ref, name, id, address, present, kept }: RegistrationPlace,
) {
  refuseUnsupported(definition);
  const definitions = checksOf(definition);
  const ids = storedCheckIds(definitions, id);
  const given = definitions.map((check, at) => toCheckInput(check, ids[at] ?? ''));
  const checks = [...given, ...kept.filter((check) => !ids.includes(check.id ?? ''))];
  const service = toServiceKey(name, ref.namespace, registry);
  const { Region: region, Zone: zone } = definition.Locality ?? {};
  const weight = toWeight(definition);
  const port = toPort(definition);
  const serving = port === 0 ? withStandInPort(registry, { ...ref, service, address }) : { port };
  const claimed = claimedStatus(definitions);
  // What a check was found to be stays when its service is registered again.
  const isKnown = present !== undefined && ids.every((each) => hasCheck(present, each));
  const initialStatus = isKnown && ids.length > 0 ? present.initialStatus : claimed;
  return {
    service,
    id: ref.id,
    address,
    ...serving,
    tags: definition.Tags ?? [],
    metadata: {
      ...(region ? { region } : {}),
      ...(zone ? { zone } : {}),
      ...toMeta(definition),
      ...toReservedLabels({
        taggedAddresses: toTaggedAddresses(definition.TaggedAddresses),
        portless: port === 0,
      }),
    },
    ...(weight === undefined || port === 0 ? {} : { weight }),
    lease: 'none' as const,
    checks,
    ...(initialStatus === undefined ? {} : { initialStatus }),
  };
}

function hasCheck(instance: Instance, id: string): boolean {
  return instance.checks.some((check) => check.id === id);
}

async function deregisterService(
  context: ConsulContext,
  request: ControlRequest,
  id: string,
): Promise<ControlReply> {
  const namespace = namespaceOf(request.query);
  await context.alone(`${namespace}/${id}`, async () => {
    const instance = requireInstance(context, request, namespace, id);
    try {
      await context.registry.deregister(refOf(instance));
    } catch (error) {
      // It went by itself meanwhile: that is what was asked for.
      if (!(error instanceof RegistryError) || error.code !== 'INSTANCE_NOT_FOUND') throw error;
    }
  });
  return DONE;
}

async function maintainService(
  context: ConsulContext,
  request: ControlRequest,
  id: string,
): Promise<ControlReply> {
  const enable = enableParameter(request.query);
  const namespace = namespaceOf(request.query);
  const instance = requireInstance(context, request, namespace, id);
  await setMaintenance(context, instance, enable, request.query.get('reason'), 'service');
  return DONE;
}

/** The caller's node is what is registered at the caller's address. */
async function maintainNode(
  context: ConsulContext,
  request: ControlRequest,
): Promise<ControlReply> {
  const enable = enableParameter(request.query);
  const namespace = namespaceOf(request.query);
  const own = callerAddress(request.remoteAddress);
  const instances: Instance[] = [];
  await scanInstances(context, presentViews(context, namespace), (instance) => {
    if (instance.address === own) instances.push(instance);
    return false;
  });
  if (instances.length === 0) {
    throw new ConsulError(
      404,
      `No service is registered at ${own}, the address that this request came from: there is no node to maintain`,
      'INSTANCE_NOT_FOUND',
    );
  }
  const reason = request.query.get('reason');
  for (const instance of instances) {
    await setMaintenance(context, instance, enable, reason, 'node');
  }
  return DONE;
}

const MAINTENANCE_REASONS = {
  service:
    'Maintenance mode is enabled for this service, but no reason was provided. This is a default message.',
  node: 'Maintenance mode is enabled for this node, but no reason was provided. This is a default message.',
} as const;

function setMaintenance(
  { registry }: ConsulContext,
  instance: Instance,
  enable: boolean,
  reason: string | null,
  what: keyof typeof MAINTENANCE_REASONS,
): Promise<Instance> {
  return registry.setIntent(
    refOf(instance),
    enable
      ? { maintenance: { reason: (reason || MAINTENANCE_REASONS[what]).slice(0, 512) } }
      : { maintenance: null, enabled: true },
  );
}

function enableParameter(query: URLSearchParams): boolean {
  const value = query.get('enable');
  if (value === null) throw badRequest('Missing value for enable');
  const enable = parseGoBool(value);
  if (enable !== undefined) return enable;
  throw badRequest(`Invalid value for enable: ${JSON.stringify(value.slice(0, 64))}`);
}

const HEALTH_STATUS = { passing: 200, warning: 429, critical: 503, maintenance: 503 } as const;

interface ServiceHealth {
  readonly AggregatedStatus: keyof typeof HEALTH_STATUS;
  readonly Service: object;
  readonly Checks: readonly CheckJson[];
}

function toHealth(context: ConsulContext, instance: Instance): ServiceHealth {
  const { registry, datacenter } = context;
  const Checks = toServiceChecksJson(instance, registry);
  const divisor = weightDivisor(registry.view(instance.service));
  return {
    AggregatedStatus: aggregatedStatus(Checks),
    Service: toAgentServiceJson(instance, divisor, datacenter),
    Checks,
  };
}

function readHealthById(context: ConsulContext, request: ControlRequest, id: string) {
  const { namespace, pretty } = readOptions(request, context.datacenter);
  const own = callerAddress(request.remoteAddress);
  const instance = findInstance(context.registry, namespace, id, own);
  if (!instance) return textReply(404, `ServiceId ${id} not found`);
  const health = toHealth(context, instance);
  const status = HEALTH_STATUS[health.AggregatedStatus];
  return isText(request)
    ? textReply(status, health.AggregatedStatus)
    : jsonReply(health, pretty, status);
}

function readHealthByName(context: ConsulContext, request: ControlRequest, name: string) {
  const { registry } = context;
  const { namespace, pretty } = readOptions(request, context.datacenter);
  const instances = registry.view(toServiceKey(name, namespace, registry))?.instances ?? [];
  if (instances.length === 0) {
    return isText(request)
      ? textReply(404, `ServiceName ${name} Not Found`)
      : jsonReply([], pretty, 404);
  }
  const all = instances.map((instance) => toHealth(context, instance));
  const worst = (['maintenance', 'critical', 'warning'] as const).find((status) =>
    all.some((health) => health.AggregatedStatus === status),
  );
  const status = worst ?? 'passing';
  return isText(request)
    ? textReply(HEALTH_STATUS[status], status)
    : jsonReply(all, pretty, HEALTH_STATUS[status]);
}

function isText(request: ControlRequest): boolean {
  return request.query.get('format') === 'text';
}
