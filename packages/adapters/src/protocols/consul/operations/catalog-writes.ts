import {
  type ControlReply,
  type ControlRequest,
  type HttpRoute,
  type Instance,
  isRegistryError,
  type Status,
  worstStatus,
} from '@portolan/core';
import { toShownCheckId } from '../codecs/check-json.ts';
import type { ConsulContext } from '../consul-context.ts';
import { badRequest, ConsulError } from '../consul-error.ts';
import {
  type CatalogCheck,
  type CatalogRegistration,
  catalogDeregistration,
  catalogRegistration,
} from '../definitions/catalog-definition.ts';
import { parseCheckStatus } from '../definitions/check-definition.ts';
import { readBody } from '../definitions/read-body.ts';
import {
  type CatalogService,
  refuseUnsupported,
  requireDefaultPartition,
  toAddress,
  toMeta,
  toMetaLabels,
  toPort,
  toWeight,
} from '../definitions/service-definition.ts';
import { findInstance, placeId, toServiceKey } from '../identity.ts';
import { jsonReply } from '../json-reply.ts';
import { namespaceOf } from '../query/request-options.ts';
import { toTaggedAddresses, withStandInPort } from '../registration.ts';
import { nodeNameOf, toReservedLabels } from '../reserved-labels.ts';
import { removeCheck } from './agent-checks.ts';
import { refOf } from './agent-services.ts';
import { put } from './consul-route.ts';
import { instancesOn } from './instance-scan.ts';

const UNTRUSTED = { trusted: false } as const;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const NODE_NAME = /^[^\u0000-\u0020\u007f/@]{1,128}$/u;

/** `/v1/catalog/register` and `/deregister`: what somebody else looks after. */
export function catalogWriteRoutes(context: ConsulContext): HttpRoute[] {
  return [
    put('/catalog/register', (request) => register(context, request)),
    put('/catalog/deregister', (request) => deregister(context, request)),
  ];
}

async function register(context: ConsulContext, request: ControlRequest): Promise<ControlReply> {
  const body = readBody(request, catalogRegistration);
  const { Node: node = '', Address: nodeAddress = '', Service: service } = body;
  requireHere(context, body.Datacenter ?? request.query.get('dc') ?? undefined);
  requireDefaultPartition(body.Partition ?? request.query.get('partition'));
  if (node === '' || nodeAddress === '') throw badRequest('Must provide node and address');
  if (!NODE_NAME.test(node)) {
    throw badRequest('Invalid node name: 1 to 128 characters without space, slash and @');
  }
  const namespace = namespaceOf(request.query, service?.Namespace || body.Namespace || undefined);
  const checks = [...(body.Check ? [body.Check] : []), ...(body.Checks ?? [])];
  if (service) await registerService(context, namespace, { body, service, checks });
  else await reportChecks(context, namespace, node, checks);
  return jsonReply(true, false);
}

interface ServiceWrite {
  readonly body: CatalogRegistration;
  readonly service: CatalogService;
  readonly checks: readonly CatalogCheck[];
}

async function registerService(
  context: ConsulContext,
  namespace: string,
  { body, service, checks }: ServiceWrite,
): Promise<void> {
  const { registry } = context;
  const { Node: node = '', Address: given = '' } = body;
  const name = service.Service || service.ID || '';
  if (name === '') throw badRequest('Must provide service name (Service.Service)');
  const id = service.ID || name;
  refuseUnsupported(service);
  const nodeAddress = toAddress(given, given);
  const address = toAddress(service.Address, nodeAddress);
  const { zone, region, ...nodeMeta } = toMetaLabels(body.NodeMeta, 'Node');
  const status = statusOf(checks, id);
  await context.alone(`${namespace}/${id}`, async () => {
    const ref = placeId(registry, namespace, id, { node, address, ownNode: true });
    const present = registry.instance(ref);
    const key = toServiceKey(name, namespace, registry);
    const weight = toWeight(service);
    const port = toPort(service);
    const serving =
      port === 0 ? withStandInPort(registry, { ...ref, service: key, address }) : { port };
    await registry.register(
      {
        service: key,
        ...ref,
        address,
        ...serving,
        tags: service.Tags ?? [],
        metadata: {
          ...(zone === undefined ? {} : { zone }),
          ...(region === undefined ? {} : { region }),
          ...toMeta(service),
          ...toReservedLabels({
            node: node === address ? undefined : node,
            nodeAddress: nodeAddress === address ? undefined : nodeAddress,
            nodeMeta,
            taggedAddresses: toTaggedAddresses(service.TaggedAddresses),
            portless: port === 0,
          }),
        },
        ...(weight === undefined || port === 0 ? {} : { weight }),
        lease: 'none',
        checks: present?.checks ?? [],
        initialStatus: present?.initialStatus ?? status ?? 'passing',
      },
      UNTRUSTED,
    );
    const written = registry.instance(ref);
    if (written && status !== undefined) await report(context, written, status);
  });
}

/** Checks alone: the status of services that are there already. */
async function reportChecks(
  context: ConsulContext,
  namespace: string,
  node: string,
  checks: readonly CatalogCheck[],
): Promise<void> {
  if (checks.length === 0) {
    throw badRequest('Must provide a service: a node without a service cannot be kept here');
  }
  const byService = Map.groupBy(checks, (check) => check.ServiceID ?? '');
  const found = [...byService].map(([serviceId, own]) => {
    const status = statusOf(own, serviceId) ?? 'critical';
    const instance = instanceOn(context, namespace, serviceId, node);
    if (instance) return { instance, status };
    throw new ConsulError(
      500,
      `Missing service registration: ServiceID ${JSON.stringify(serviceId.slice(0, 256))} on node ${JSON.stringify(node)}`,
      'INSTANCE_NOT_FOUND',
    );
  });
  for (const { instance, status } of found) await report(context, instance, status);
}

/** Many checks become one status: the worst. */
function statusOf(checks: readonly CatalogCheck[], serviceId: string): Status | undefined {
  const statuses = checks.map((check) => {
    if ((check.ServiceID ?? '') === '') {
      throw badRequest('Invalid check: ServiceID is required, checks of a node are not kept here');
    }
    if (check.ServiceID !== serviceId) {
      throw badRequest('Invalid check: ServiceID is not that of the service');
    }
    return parseCheckStatus(check.Status) ?? 'critical';
  });
  return statuses.length === 0 ? undefined : worstStatus(statuses);
}

async function report(
  { registry }: ConsulContext,
  instance: Instance,
  status: Status,
): Promise<void> {
  if (instance.checks.length > 0 || status === 'unknown') return;
  await registry.heartbeat(refOf(instance), { status });
}

async function deregister(context: ConsulContext, request: ControlRequest): Promise<ControlReply> {
  const body = readBody(request, catalogDeregistration);
  const { Node: node = '', ServiceID: serviceId = '', CheckID: checkId = '' } = body;
  requireHere(context, body.Datacenter ?? request.query.get('dc') ?? undefined);
  if (node === '') throw badRequest('Must provide node');
  const namespace = namespaceOf(request.query, body.Namespace);
  if (serviceId !== '') {
    const instance = instanceOn(context, namespace, serviceId, node);
    if (instance) await remove(context, instance);
  } else {
    const onNode = await instancesOn(context, namespace, node);
    if (checkId === '') for (const instance of onNode) await remove(context, instance);
    else await removeNamedCheck(context, onNode, checkId);
  }
  // What is not there is deregistered: Consul says so too.
  return jsonReply(true, false);
}

async function removeNamedCheck(
  context: ConsulContext,
  instances: readonly Instance[],
  checkId: string,
): Promise<void> {
  for (const instance of instances) {
    const spec = instance.checks.find((each) => toShownCheckId(instance, each.id) === checkId);
    if (spec) return removeCheck(context, instance, spec.id);
  }
}

async function remove({ registry }: ConsulContext, instance: Instance): Promise<void> {
  try {
    await registry.deregister(refOf(instance));
  } catch (error) {
    if (!isRegistryError(error) || error.code !== 'INSTANCE_NOT_FOUND') throw error;
  }
}

function instanceOn(
  { registry }: ConsulContext,
  namespace: string,
  serviceId: string,
  node: string,
): Instance | undefined {
  const found = findInstance(registry, namespace, serviceId, node);
  return found && nodeNameOf(found) === node ? found : undefined;
}

function requireHere({ datacenter }: ConsulContext, wanted: string | undefined): void {
  if (wanted && wanted !== datacenter) throw new ConsulError(500, 'No path to datacenter');
}
