import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import {
  DEFAULT_GROUP,
  DEFAULT_NAMESPACE,
  type InstanceRef,
  isRegistryError,
  type RegisterOutcome,
  type RegistrationInput,
  type Registry,
  RegistryError,
  type ServiceKey,
} from '@portolan/core';
import { unknownInstance } from '../rest/operation.ts';
import { isId, isName } from '../rest/schemas/fields.ts';
import { HEARTBEAT_BATCH_MAX } from '../rest/schemas/heartbeat-schema.ts';
import { BATCH_MAX_INSTANCES } from '../rest/schemas/registration-schema.ts';
import type { Calls } from './grpc-calls.ts';
import { toInstanceMessage } from './instance-message.ts';
import { readIntent, readRegistration, readReport } from './registration-document.ts';
import type {
  HandOverRequest,
  HeartbeatRequest,
  RegisterBatchRequest,
  RegisterRequest,
  ReportRequest,
  SetIntentRequest,
  WireRef,
} from './wire.ts';

/** Registrations from the network never run scripts. */
const UNTRUSTED = { trusted: false } as const;

/** Register, renew, report, deregister, and what the operator wants. */
export function writeMethods(registry: Registry, calls: Calls): UntypedServiceImplementation {
  return {
    Register: calls.unary<RegisterRequest>('Register', 'write', async ({ registration }) => {
      const outcome = await registry.register(readRegistration(registration), UNTRUSTED);
      const { instance, created, changed, superseded = '' } = outcome;
      return { instance: toInstanceMessage(instance), created, changed, superseded };
    }),
    RegisterBatch: calls.unary<RegisterBatchRequest>('RegisterBatch', 'write', (request) =>
      registerBatch(registry, request),
    ),
    Heartbeat: calls.duplex<HeartbeatRequest>(
      'Heartbeat',
      'heartbeat',
      async ({ namespace, ids }) => {
        requireCount('ids', ids.length, HEARTBEAT_BATCH_MAX);
        const within = namespace || DEFAULT_NAMESPACE;
        const unknown = await registry.renewBatch(ids.map((id) => ({ namespace: within, id })));
        return { renewed: ids.length - unknown.length, unknownIds: unknown.map(({ id }) => id) };
      },
    ),
    Report: calls.unary<ReportRequest>('Report', 'heartbeat', async (request) => {
      const { instance, ttlMs } = await registry.heartbeat(toRef(request), readReport(request));
      return {
        instance: toInstanceMessage(instance),
        ...(ttlMs === undefined ? {} : { ttlMs: Math.round(ttlMs) }),
      };
    }),
    Deregister: calls.unary<WireRef>('Deregister', 'write', async (request) => ({
      instance: toInstanceMessage(await registry.deregister(toRef(request))),
    })),
    SetIntent: calls.unary<SetIntentRequest>('SetIntent', 'write', async (request) => ({
      instance: toInstanceMessage(await registry.setIntent(toRef(request), readIntent(request))),
    })),
    HandOver: calls.unary<HandOverRequest>('HandOver', 'write', async (request) => {
      const { to } = request;
      const next = to === '' ? undefined : toRef({ namespace: request.namespace, id: to }).id;
      return { term: await registry.handOver(toServiceKey(request), next) };
    }),
  };
}

/** Names a service. Throws SERVICE_NOT_FOUND for what cannot be a name. */
export function toServiceKey(
  wire: Pick<HandOverRequest, 'namespace' | 'group' | 'service'>,
): ServiceKey {
  const key = {
    namespace: wire.namespace || DEFAULT_NAMESPACE,
    group: wire.group || DEFAULT_GROUP,
    name: wire.service,
  };
  const odd = Object.values(key).find((name) => !isName(name));
  if (odd === undefined) return key;
  throw new RegistryError('SERVICE_NOT_FOUND', {
    detail: `${JSON.stringify(odd.slice(0, 64))} cannot be the name of a service, namespace or group.`,
  });
}

/** Names one instance. Throws INSTANCE_NOT_FOUND for what cannot be an id. */
export function toRef({ namespace, id }: WireRef): InstanceRef {
  const ref = { namespace: namespace || DEFAULT_NAMESPACE, id };
  if (isId(id) && isName(ref.namespace)) return ref;
  throw unknownInstance({ namespace: ref.namespace.slice(0, 64), id: id.slice(0, 64) });
}

async function registerBatch(
  registry: Registry,
  { registrations }: RegisterBatchRequest,
): Promise<object> {
  requireCount('registrations', registrations.length, BATCH_MAX_INSTANCES);
  const results: object[] = [];
  const inputs: RegistrationInput[] = [];
  const places: number[] = [];
  let failed = 0;
  const fail = (at: number, error: RegistryError): void => {
    failed++;
    const { code, message, row } = error;
    const { id } = registrations[at] ?? {};
    results[at] = { id, fault: { code, message, retryable: row.retryable } };
  };
  for (const [at, registration] of registrations.entries()) {
    try {
      inputs.push(readRegistration(registration));
      places.push(at);
    } catch (error) {
      if (!isRegistryError(error)) throw error;
      fail(at, error);
    }
  }
  const items = inputs.length === 0 ? [] : await registry.registerBatch(inputs, UNTRUSTED);
  for (const [index, item] of items.entries()) {
    const at = places[index] as number;
    if (item.ok) results[at] = toResult(item.value);
    else fail(at, item.error);
  }
  return { results, failed };
}

function toResult({ instance, created, changed }: RegisterOutcome): object {
  return { id: instance.id, created, changed, revision: instance.modifyRevision };
}

function requireCount(field: string, count: number, most: number): void {
  if (count >= 1 && count <= most) return;
  const expected = `1 to ${most} of them`;
  throw new RegistryError('VALIDATION_FAILED', {
    detail: `${field}: expected ${expected}, found ${count}.`,
    problems: [{ path: `$.${field}`, expected, found: `${count}` }],
  });
}
