import type {
  CheckInput,
  ControlReply,
  ControlRequest,
  HttpRoute,
  Instance,
  ServiceView,
} from '@portolan/core';
import { hasReportedStatus, toServiceChecksJson } from '../codecs/check-json.ts';
import type { ConsulContext } from '../consul-context.ts';
import { badRequest, ConsulError } from '../consul-error.ts';
import {
  checkDefinition,
  claimedStatus,
  parseCheckStatus,
  toCheckInput,
} from '../definitions/check-definition.ts';
import { struct, text } from '../definitions/go-decoder.ts';
import { readBody } from '../definitions/read-body.ts';
import { compileFilter } from '../filter/compile-filter.ts';
import { FILTER_FIELDS } from '../filter/filter-fields.ts';
import { callerAddress, toShownId } from '../identity.ts';
import { DONE, LEFT_OUT, mapReply } from '../json-reply.ts';
import { namespaceOf, readOptions } from '../query/request-options.ts';
import { refOf, requireInstance } from './agent-services.ts';
import { type CheckIndex, type FoundCheck, findCheck, toStoredCheckId } from './check-ids.ts';
import { get, heartbeat, put } from './consul-route.ts';
import { presentViews } from './instance-scan.ts';

const UNTRUSTED = { trusted: false } as const;
const VERBS = { pass: 'passing', warn: 'warning', fail: 'critical' } as const;

const checkUpdate = struct('agent.checkUpdate', { Status: text, Output: text });

/** `/v1/agent/check…`. */
export function agentCheckRoutes(context: ConsulContext, index: CheckIndex): HttpRoute[] {
  return [
    get('/agent/checks', (request) => listChecks(context, request)),
    put('/agent/check/register', (request) => registerCheck(context, request)),
    put('/agent/check/deregister/:id', (request, { id = '' }) =>
      deregisterCheck(context, index, request, id),
    ),
    ...Object.entries(VERBS).map(([verb, status]) =>
      heartbeat(`/agent/check/${verb}/:id`, (request, { id = '' }) =>
        report(context, index, request, id, status, request.query.get('note') ?? ''),
      ),
    ),
    heartbeat('/agent/check/update/:id', (request, { id = '' }) => {
      const { Status: given = '', Output: output = '' } = readBody(request, checkUpdate);
      const status = parseUpdate(given);
      return report(context, index, request, id, status, output);
    }),
  ];
}

function parseUpdate(given: string) {
  const known = Object.values(VERBS).find((status) => status === given);
  if (known) return known;
  throw badRequest(`Invalid check status: ${JSON.stringify(given.slice(0, 64))}`);
}

function listChecks(context: ConsulContext, request: ControlRequest): ControlReply {
  const options = readOptions(request, context.datacenter);
  const filter =
    options.filter === undefined ? () => true : compileFilter(options.filter, FILTER_FIELDS.check);
  const views = presentViews(context, options.namespace);
  return mapReply(context, checkEntries(context, views, filter), options.pretty);
}

function* checkEntries(
  { registry }: ConsulContext,
  views: readonly ServiceView[],
  filter: (check: object) => boolean,
): Generator<readonly [string, object] | undefined> {
  for (const { instances } of views) {
    for (const instance of instances) {
      for (const check of toServiceChecksJson(instance, registry)) {
        yield filter(check) ? [check.CheckID, check] : LEFT_OUT;
      }
    }
  }
}

function unknownCheck(id: string): ConsulError {
  return new ConsulError(
    404,
    `Unknown check ID ${JSON.stringify(id.slice(0, 256))}. Ensure that the check ID is passed, not the check name.`,
    'CHECK_NOT_FOUND',
  );
}

function requireCheck(
  context: ConsulContext,
  index: CheckIndex,
  request: ControlRequest,
  namespace: string,
  id: string,
): FoundCheck {
  const own = callerAddress(request.remoteAddress);
  const found = findCheck(context.registry, index, namespace, id, own);
  if (!found) throw unknownCheck(id);
  return found;
}

/** A ttl check's word, which is also the heartbeat of an instance that has a lease. */
async function report(
  context: ConsulContext,
  index: CheckIndex,
  request: ControlRequest,
  id: string,
  status: (typeof VERBS)[keyof typeof VERBS],
  output: string,
): Promise<ControlReply> {
  const namespace = namespaceOf(request.query);
  const { instance, spec } = requireCheck(context, index, request, namespace, id);
  if (spec === undefined && !hasReportedStatus(instance)) throw unknownCheck(id);
  if (spec !== undefined && spec.probe.kind !== 'ttl') {
    throw new ConsulError(500, `CheckID ${JSON.stringify(id)} does not have associated TTL`);
  }
  await context.registry.heartbeat(refOf(instance), {
    status,
    output,
    ...(spec === undefined ? {} : { checkId: spec.id }),
  });
  return DONE;
}

async function registerCheck(
  context: ConsulContext,
  request: ControlRequest,
): Promise<ControlReply> {
  const definition = readBody(request, checkDefinition);
  const { Name: name = '', ServiceID: serviceId = '' } = definition;
  const id = definition.CheckID || definition.ID || name;
  if (id === '') throw badRequest('Missing check name');
  parseCheckStatus(definition.Status);
  const namespace = namespaceOf(request.query, definition.Namespace);
  if (serviceId === '') {
    throw badRequest('Invalid check: ServiceID is required, checks of a node are not kept here');
  }
  await context.alone(`${namespace}/${serviceId}`, async () => {
    const instance = requireService(context, request, namespace, serviceId);
    const check = toCheckInput(definition, toStoredCheckId(id, toShownId(instance)));
    const others = instance.checks.filter((each) => each.id !== check.id);
    const isKnown = others.length < instance.checks.length;
    const claimed = isKnown ? instance.initialStatus : claimedStatus([definition]);
    await registerAgain(context, instance, [...others, check], claimed);
  });
  return DONE;
}

function requireService(
  context: ConsulContext,
  request: ControlRequest,
  namespace: string,
  serviceId: string,
): Instance {
  try {
    return requireInstance(context, request, namespace, serviceId);
  } catch (error) {
    if (!(error instanceof ConsulError)) throw error;
    throw new ConsulError(
      500,
      `ServiceID ${JSON.stringify(serviceId.slice(0, 256))} does not exist`,
      'INSTANCE_NOT_FOUND',
    );
  }
}

async function deregisterCheck(
  context: ConsulContext,
  index: CheckIndex,
  request: ControlRequest,
  id: string,
): Promise<ControlReply> {
  const namespace = namespaceOf(request.query);
  const before = requireCheck(context, index, request, namespace, id);
  await context.alone(`${namespace}/${toShownId(before.instance)}`, async () => {
    const { instance, spec } = requireCheck(context, index, request, namespace, id);
    if (spec === undefined) throw unknownCheck(id);
    await removeCheck(context, instance, spec.id);
  });
  return DONE;
}

/** The instance as it is, without one of its checks. */
export async function removeCheck(
  context: ConsulContext,
  instance: Instance,
  checkId: string,
): Promise<void> {
  const others = instance.checks.filter((each) => each.id !== checkId);
  await registerAgain(context, instance, others, others.length === 0 ? 'passing' : undefined);
}

async function registerAgain(
  { registry }: ConsulContext,
  instance: Instance,
  checks: readonly CheckInput[],
  claimed: Instance['status'] | undefined,
): Promise<void> {
  const { service, id, address, port, tags, metadata, weight, lease } = instance;
  const { owner, condition } = instance;
  await registry.register(
    {
      service,
      id,
      address,
      port,
      tags,
      metadata,
      weight,
      lease: lease?.profile === 'custom' ? lease : (lease?.profile ?? 'none'),
      checks,
      initialStatus: claimed ?? instance.initialStatus,
      ...(owner === undefined ? {} : { owner }),
      ...(condition === undefined ? {} : { condition }),
    },
    UNTRUSTED,
  );
}
