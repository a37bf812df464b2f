import {
  DEFAULT_GROUP,
  DEFAULT_NAMESPACE,
  type RegistrationInput,
  type RegistrationPatch,
} from '@portolan/core';
import { z } from 'zod';
import { withoutBrackets } from '../../targets/probe-target.ts';
import { type BodyCodec, type RuleProblem, requireValid } from '../body/body-codec.ts';
import { describe } from '../body/zod-problems.ts';
import { checkRules, checkSchema, toCheckInput } from './check-schema.ts';
import {
  addressField,
  durationField,
  idField,
  metadataField,
  metadataPatchField,
  nameField,
  portField,
  STATUS_WORDS,
  statusField,
  tagField,
  toLabelPatch,
  toLabelValues,
  weightField,
} from './fields.ts';
import {
  LEASE_TIME,
  MAX_TAGS,
  type RegistrationFallback,
  readPlainRegistration,
  thirds,
} from './plain-registration.ts';

const leaseTime = durationField(LEASE_TIME);

/** Every field with the other names it goes by. */
const ALIASES = {
  service: ['service', 'serviceName', 'name'],
  address: ['address', 'ip', 'host'],
  id: ['id', 'instanceId'],
  metadata: ['metadata', 'meta'],
} as const;

export const registrationSchema = z
  .strictObject({
    service: nameField.optional(),
    serviceName: nameField.optional(),
    name: nameField.optional(),
    address: addressField.optional(),
    ip: addressField.optional(),
    host: addressField.optional(),
    port: portField,
    id: idField.optional(),
    instanceId: idField.optional(),
    namespace: nameField.optional(),
    group: nameField.optional(),
    tags: z.array(tagField).max(MAX_TAGS).optional(),
    metadata: metadataField.optional(),
    meta: metadataField.optional(),
    weight: weightField.optional(),
    status: statusField.optional(),
    ttl: leaseTime.optional(),
    lease: z
      .union(
        [
          z.enum(['default', 'fast', 'none']),
          z.strictObject({ ttl: leaseTime, heartbeat: leaseTime.optional() }),
        ],
        { error: '"default", "fast", "none" or {ttl, heartbeat}' },
      )
      .optional(),
    check: checkSchema.optional(),
    checks: z.array(checkSchema).max(16).optional(),
    preflight: z.boolean().optional(),
    exclusive: z.boolean().optional(),
  })
  .meta({
    id: 'Registration',
    allOf: [
      { anyOf: ALIASES.service.map((name) => ({ required: [name] })) },
      { anyOf: ALIASES.address.map((name) => ({ required: [name] })) },
    ],
    examples: [
      {
        service: 'user-service',
        id: 'user-service-1',
        address: '172.18.0.12',
        port: 8080,
        tags: ['version:v1', 'region:us'],
        check: { http: 'http://172.18.0.12:8080/health', interval: '10s' },
      },
      {
        serviceName: 'user-service',
        ip: '192.168.1.10',
        port: 8080,
        status: 'UP',
        metadata: { version: 'v1.0' },
      },
      { service: 'user-service', ip: '192.168.0.1', port: 8080, ttl: 30 },
    ],
  });

export type RegistrationBody = z.output<typeof registrationSchema>;

export const registrationCodec: BodyCodec<typeof registrationSchema> = {
  schema: registrationSchema,
  rules: registrationRules,
};

function registrationRules(body: Readonly<Record<string, unknown>>): RuleProblem[] {
  const problems: RuleProblem[] = [];
  for (const [field, names] of Object.entries(ALIASES)) {
    let given = 0;
    let last: string = field;
    for (const name of names) {
      if (body[name] === undefined) continue;
      given++;
      last = name;
    }
    if (given > 1) {
      problems.push({
        path: [last],
        expected: `only one of ${names.join(', ')}`,
        found: describe(body[last]),
      });
    } else if (given === 0 && (field === 'service' || field === 'address')) {
      problems.push({
        path: [field],
        expected: field === 'service' ? 'a service name' : 'an address',
        found: 'nothing',
      });
    }
  }
  if (body.ttl !== undefined && body.lease !== undefined) {
    problems.push({
      path: ['ttl'],
      expected: 'either ttl or lease',
      found: describe(body.ttl),
    });
  }
  if (body.check !== undefined) problems.push(...checkRules(body.check, ['check']));
  if (Array.isArray(body.checks)) {
    for (const [at, check] of body.checks.entries()) {
      problems.push(...checkRules(check, ['checks', at]));
    }
  }
  return problems;
}

/** Reads a registration as any door takes it. Throws VALIDATION_FAILED with all that is wrong, or SCRIPT_CHECK_FORBIDDEN. */
export function parseRegistration(
  body: unknown,
  fallback: RegistrationFallback = {},
  root = '$',
): RegistrationInput {
  const plain = readPlainRegistration(body, fallback);
  return plain ?? toRegistrationInput(requireValid(registrationCodec, body, root), fallback, root);
}

/** The registration as the registry takes it. `fallback` is what the query says where the body is silent. */
export function toRegistrationInput(
  body: RegistrationBody,
  fallback: RegistrationFallback = {},
  root = '$',
): RegistrationInput {
  const id = body.id ?? body.instanceId;
  const metadata = body.metadata ?? body.meta;
  const checks =
    body.check === undefined && body.checks === undefined
      ? undefined
      : [
          ...(body.check === undefined ? [] : [toCheckInput(body.check, `${root}.check`)]),
          ...(body.checks ?? []).map((check, at) => toCheckInput(check, `${root}.checks[${at}]`)),
        ];
  const lease = toLease(body);
  return {
    service: {
      namespace: body.namespace ?? fallback.namespace ?? DEFAULT_NAMESPACE,
      group: body.group ?? fallback.group ?? DEFAULT_GROUP,
      name: body.service ?? body.serviceName ?? body.name ?? '',
    },
    address: withoutBrackets(body.address ?? body.ip ?? body.host ?? ''),
    port: body.port,
    ...(id === undefined ? undefined : { id }),
    ...(body.tags === undefined ? undefined : { tags: body.tags }),
    ...(metadata === undefined ? undefined : { metadata: toLabelValues(metadata) }),
    ...(body.weight === undefined ? undefined : { weight: body.weight }),
    ...(lease === undefined ? undefined : { lease }),
    ...(checks === undefined ? undefined : { checks }),
    ...(body.status === undefined ? undefined : { initialStatus: STATUS_WORDS[body.status] }),
    ...(body.preflight === undefined ? undefined : { preflight: body.preflight }),
    ...(body.exclusive === undefined ? undefined : { exclusive: body.exclusive }),
  };
}

function toLease(body: RegistrationBody): RegistrationInput['lease'] {
  if (body.ttl !== undefined) return thirds(body.ttl);
  if (body.lease === undefined || typeof body.lease === 'string') return body.lease;
  return body.lease.heartbeat === undefined
    ? thirds(body.lease.ttl)
    : { ttlMs: body.lease.ttl, heartbeatMs: body.lease.heartbeat };
}

export const BATCH_MAX_INSTANCES = 1_000;
export const BATCH_BODY_LIMIT_BYTES = 4 * 1_024 * 1_024;

const batchEnvelopeSchema = z.strictObject({
  instances: z.array(z.unknown()).min(1).max(BATCH_MAX_INSTANCES),
});

/** The batch without its items: they are validated one by one, so that a bad one does not refuse its neighbours. */
export const batchCodec: BodyCodec<typeof batchEnvelopeSchema> = { schema: batchEnvelopeSchema };

/** What the API document says of a batch. */
export const batchSchema = z
  .strictObject({ instances: z.array(registrationSchema).min(1).max(BATCH_MAX_INSTANCES) })
  .meta({ id: 'RegistrationBatch' });

export const patchSchema = z
  .strictObject({
    tags: z.array(tagField).max(256).optional(),
    metadata: metadataPatchField.optional(),
    weight: weightField.optional(),
  })
  .meta({ id: 'InstancePatch', examples: [{ metadata: { version: 'v2', old: null } }] });

export function toRegistrationPatch(body: z.output<typeof patchSchema>): RegistrationPatch {
  return {
    ...(body.tags === undefined ? undefined : { tags: body.tags }),
    ...(body.metadata === undefined ? undefined : { metadata: toLabelPatch(body.metadata) }),
    ...(body.weight === undefined ? undefined : { weight: body.weight }),
  };
}
