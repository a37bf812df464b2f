import {
  type BatchItem,
  type ControlReply,
  isRegistryError,
  type RegisterOutcome,
  type RegistrationInput,
  type ServiceView,
} from '@portolan/core';
import { requireValid } from '../body/body-codec.ts';
import { toInstanceDetailJson, toInstanceJson, toRegisterJson } from '../codecs/instance-json.ts';
import { INSTANCE_FILTERS, toInstanceFilter } from '../instance-filter.ts';
import { JSON_HEADERS, jsonReply } from '../json-reply.ts';
import {
  type Call,
  instanceRefOf,
  NAMESPACE_QUERY,
  type Operation,
  type RestContext,
  readBody,
  readJson,
  SERVICE_QUERY,
  unknownInstance,
} from '../operation.ts';
import { toProblemDocument } from '../problem-reply.ts';
import { nameParameter, scopeParameter } from '../query.ts';
import {
  batchAnswer,
  deregisteredAnswer,
  instanceAnswer,
  instanceDetailAnswer,
  instancesAnswer,
  registerAnswer,
} from '../schemas/answer-schemas.ts';
import {
  BATCH_BODY_LIMIT_BYTES,
  batchCodec,
  batchSchema,
  parseRegistration,
  patchSchema,
  registrationSchema,
  toRegistrationPatch,
} from '../schemas/registration-schema.ts';
import { inServiceOrder } from '../service-order.ts';

/** Registrations from the network never run scripts. */
const UNTRUSTED = { trusted: false } as const;
const TAG = 'Instances';
const REGISTRATION_ERRORS = [
  'VALIDATION_FAILED',
  'LABEL_LIMIT',
  'ADDRESS_FORBIDDEN',
  'ADDRESS_CONFLICT',
  'SCRIPT_CHECK_FORBIDDEN',
  'PREFLIGHT_FAILED',
  'STORE_FULL',
] as const;

/** Register, read, change and deregister instances. */
export function instanceOperations(context: RestContext): Operation[] {
  const { registry } = context;
  return [
    {
      id: 'registerInstance',
      tag: TAG,
      summary: 'Register an instance, or update it',
      method: 'POST',
      path: '/instances',
      alias: '/register',
      query: SERVICE_QUERY,
      body: { schema: registrationSchema, required: true },
      answers: {
        200: { description: 'Updated, or as it was.', schema: registerAnswer },
        201: { description: 'Created.', schema: registerAnswer },
      },
      errors: REGISTRATION_ERRORS,
      handle(call) {
        const input = parseRegistration(readJson(call), fallbackOf(call));
        return registry.register(input, UNTRUSTED).then(toRegisterReply);
      },
    },
    {
      id: 'registerInstances',
      tag: TAG,
      summary: 'Register up to 1,000 instances in one write; each succeeds or fails by itself',
      method: 'POST',
      path: '/instances/batch',
      query: SERVICE_QUERY,
      body: { schema: batchSchema, required: true, limitBytes: BATCH_BODY_LIMIT_BYTES },
      answers: { 200: { description: 'A result per item, in order.', schema: batchAnswer } },
      errors: ['VALIDATION_FAILED', 'STORE_FULL'],
      handle: (call) => registerBatch(context, call),
    },
    {
      id: 'listInstances',
      tag: TAG,
      summary: 'List instances',
      method: 'GET',
      path: '/instances',
      query: {
        namespace: {
          description: 'Default "default"; `*` for all.',
          schema: { type: 'string' },
        },
        group: { description: 'Only this group; default all.', schema: { type: 'string' } },
        service: { description: 'Only this service.', schema: { type: 'string' } },
        ...INSTANCE_FILTERS,
      },
      answers: { 200: { description: 'The instances.', schema: instancesAnswer } },
      errors: [],
      handle: (call) => listInstances(context, call),
    },
    {
      id: 'getInstance',
      tag: TAG,
      summary: 'Read an instance with the state of its checks and its lease',
      method: 'GET',
      path: '/instances/:id',
      query: NAMESPACE_QUERY,
      answers: { 200: { description: 'The instance.', schema: instanceDetailAnswer } },
      errors: ['INSTANCE_NOT_FOUND'],
      handle(call) {
        const ref = instanceRefOf(call);
        const instance = registry.instance(ref);
        if (!instance) throw unknownInstance(ref);
        return jsonReply(toInstanceDetailJson(instance, registry));
      },
    },
    {
      id: 'patchInstance',
      tag: TAG,
      summary: 'Change tags, metadata or weight; a metadata value of null removes its key',
      method: 'PATCH',
      path: '/instances/:id',
      query: NAMESPACE_QUERY,
      body: { schema: patchSchema, required: true },
      answers: { 200: { description: 'The instance.', schema: instanceAnswer } },
      errors: ['INSTANCE_NOT_FOUND', 'VALIDATION_FAILED', 'LABEL_LIMIT'],
      async handle(call) {
        const ref = instanceRefOf(call);
        const patch = toRegistrationPatch(readBody(call, { schema: patchSchema }));
        return jsonReply(toInstanceJson(await registry.patch(ref, patch)));
      },
    },
    {
      id: 'deregisterInstance',
      tag: TAG,
      summary: 'Deregister an instance',
      method: 'DELETE',
      path: '/instances/:id',
      alias: '/register/:id',
      query: NAMESPACE_QUERY,
      answers: { 200: { description: 'What was deregistered.', schema: deregisteredAnswer } },
      errors: ['INSTANCE_NOT_FOUND'],
      async handle(call) {
        const instance = await registry.deregister(instanceRefOf(call));
        return jsonReply({ deregistered: toInstanceJson(instance) });
      },
    },
  ];
}

function toRegisterReply(outcome: RegisterOutcome): ControlReply {
  return jsonReply(toRegisterJson(outcome), outcome.created ? 201 : 200);
}

function fallbackOf(call: Call) {
  const { query } = call.request;
  if (query.size === 0) return {};
  const namespace = nameParameter(query, 'namespace');
  const group = nameParameter(query, 'group');
  return {
    ...(namespace === undefined ? undefined : { namespace }),
    ...(group === undefined ? undefined : { group }),
  };
}

async function registerBatch(context: RestContext, call: Call) {
  const { requestId } = call.request;
  const { instances } = requireValid(batchCodec, readJson(call, BATCH_BODY_LIMIT_BYTES));
  const fallback = fallbackOf(call);
  const results: unknown[] = new Array(instances.length);
  const inputs: RegistrationInput[] = [];
  const places: number[] = [];
  let failed = 0;

  function fail(at: number, error: unknown): void {
    failed++;
    results[at] = { ok: false, error: toProblemDocument(error, requestId) };
  }
  for (let at = 0; at < instances.length; at++) {
    try {
      inputs.push(parseRegistration(instances[at], fallback, `$.instances[${at}]`));
      places.push(at);
    } catch (error) {
      if (!isRegistryError(error)) throw error;
      fail(at, error);
    }
  }
  const outcomes =
    inputs.length === 0 ? [] : await context.registry.registerBatch(inputs, UNTRUSTED);
  for (let index = 0; index < outcomes.length; index++) {
    const outcome = outcomes[index] as BatchItem<RegisterOutcome>;
    const at = places[index] ?? index;
    if (!outcome.ok) {
      fail(at, outcome.error);
      continue;
    }
    const { id, created, changed, revision } = outcome.value;
    results[at] = { ok: true, id, created, changed, revision };
  }
  return jsonReply({ results, failed });
}

/** Answers longer than this many instances are made and sent piece by piece. */
const PIECE_INSTANCES = 256;

function listInstances(context: RestContext, call: Call) {
  const { registry } = context;
  const { query } = call.request;
  const namespace = scopeParameter(query, 'namespace', 'default');
  const group = scopeParameter(query, 'group', undefined);
  const service = nameParameter(query, 'service');
  const filter = toInstanceFilter(query);
  const views: ServiceView[] = [];
  let total = 0;
  // Views are immutable: taken in one turn they are the catalogue at one revision, however slowly they are sent.
  for (const summary of inServiceOrder(registry.services(namespace))) {
    const key = summary.service;
    if (group !== undefined && key.group !== group) continue;
    if (service !== undefined && key.name !== service) continue;
    const view = registry.view(key);
    if (!view) continue;
    views.push(view);
    total += view.count;
  }
  const pieces = instancePieces(views, filter, registry.revision);
  return total <= PIECE_INSTANCES
    ? { status: 200, headers: JSON_HEADERS, body: [...pieces].join('') }
    : { status: 200, headers: JSON_HEADERS, body: inTurns(pieces, context.turns) };
}

function* instancePieces(
  views: readonly ServiceView[],
  filter: ReturnType<typeof toInstanceFilter>,
  revision: number,
): Generator<string> {
  let piece = '{"instances":[';
  let count = 0;
  for (const view of views) {
    for (const instance of view.instances) {
      if (filter && !filter(instance)) continue;
      if (count > 0) piece += ',';
      piece += JSON.stringify(toInstanceJson(instance));
      count++;
      if (count % PIECE_INSTANCES === 0) {
        yield piece;
        piece = '';
      }
    }
  }
  yield `${piece}],"revision":${revision}}`;
}

async function* inTurns(
  pieces: Iterable<string>,
  turn: () => Promise<void>,
): AsyncGenerator<string> {
  for (const piece of pieces) {
    yield piece;
    await turn();
  }
}
