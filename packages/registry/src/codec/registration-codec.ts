import {
  type CheckSpec,
  CONDITION_STATES,
  type Condition,
  type LeaseSpec,
  type ProbeConfig,
  type Registration,
  type Status,
} from '@portolan/core';
import {
  asObject,
  booleanField,
  DamagedValue,
  decodeValue,
  encodeValue,
  listField,
  numberField,
  objectField,
  oneOfField,
  optionalNumberField,
  type StoredObject,
  stringField,
  stringListField,
  stringMapField,
} from './stored-value.ts';

export const STATUSES: readonly Status[] = ['passing', 'warning', 'critical', 'unknown'];
const PROFILES = ['default', 'fast', 'custom'] as const;
const NO_CHECKS: readonly CheckSpec[] = Object.freeze([]);
const NO_TAGS: readonly string[] = Object.freeze([]);
const NO_METADATA: Readonly<Record<string, string>> = Object.freeze({});

export function encodeRegistration(registration: Registration): string {
  return encodeValue(registration);
}

/** Throws `DamagedValue`. Empty lists and maps are shared: there are a million of them. */
export function decodeRegistration(value: string): Registration {
  const fields = decodeValue(value);
  const service = objectField(fields, 'service');
  const tags = stringListField(fields, 'tags');
  const metadata = stringMapField(fields, 'metadata');
  const checks = listField(fields, 'checks');
  const registration: Registration = {
    id: stringField(fields, 'id'),
    service: {
      namespace: stringField(service, 'namespace'),
      group: stringField(service, 'group'),
      name: stringField(service, 'name'),
    },
    address: stringField(fields, 'address'),
    port: numberField(fields, 'port'),
    tags: tags.length === 0 ? NO_TAGS : tags,
    metadata: Object.keys(metadata).length === 0 ? NO_METADATA : metadata,
    weight: numberField(fields, 'weight'),
    checks: checks.length === 0 ? NO_CHECKS : checks.map(decodeCheck),
    initialStatus: oneOfField(fields, 'initialStatus', STATUSES),
    registeredAtMs: numberField(fields, 'registeredAtMs'),
    ...(fields.owner === undefined ? undefined : { owner: stringField(fields, 'owner') }),
    ...(fields.condition === undefined
      ? undefined
      : { condition: decodeCondition(objectField(fields, 'condition')) }),
  };
  if (fields.lease === undefined) return registration;
  return { ...registration, lease: decodeLease(objectField(fields, 'lease')) };
}

function decodeCondition(fields: StoredObject): Condition {
  return {
    state: oneOfField(fields, 'state', CONDITION_STATES),
    reason: stringField(fields, 'reason'),
  };
}

function decodeLease(fields: StoredObject): LeaseSpec {
  return {
    profile: oneOfField(fields, 'profile', PROFILES),
    heartbeatMs: numberField(fields, 'heartbeatMs'),
    ttlMs: numberField(fields, 'ttlMs'),
  };
}

function decodeCheck(value: unknown): CheckSpec {
  const fields = asObject(value, 'check');
  const deregisterAfterMs = optionalNumberField(fields, 'deregisterAfterMs');
  return {
    id: stringField(fields, 'id'),
    probe: decodeProbe(objectField(fields, 'probe')),
    intervalMs: numberField(fields, 'intervalMs'),
    timeoutMs: numberField(fields, 'timeoutMs'),
    rise: numberField(fields, 'rise'),
    fall: numberField(fields, 'fall'),
    ...(deregisterAfterMs === undefined ? {} : { deregisterAfterMs }),
  };
}

function decodeProbe(fields: StoredObject): ProbeConfig {
  switch (fields.kind) {
    case 'http': {
      const body =
        fields.bodyContains === undefined
          ? {}
          : { bodyContains: stringField(fields, 'bodyContains') };
      return {
        kind: 'http',
        url: stringField(fields, 'url'),
        method: oneOfField(fields, 'method', ['GET', 'HEAD', 'POST', 'OPTIONS']),
        headers: stringMapField(fields, 'headers'),
        expectStatus: listField(fields, 'expectStatus').map((item) => {
          const range = asObject(item, 'expectStatus');
          return { from: numberField(range, 'from'), to: numberField(range, 'to') };
        }),
        ...body,
        skipTlsVerify: booleanField(fields, 'skipTlsVerify'),
      };
    }
    case 'tcp':
      return { kind: 'tcp', host: stringField(fields, 'host'), port: numberField(fields, 'port') };
    case 'grpc':
      return {
        kind: 'grpc',
        host: stringField(fields, 'host'),
        port: numberField(fields, 'port'),
        service: stringField(fields, 'service'),
        tls: booleanField(fields, 'tls'),
      };
    case 'ttl':
      return { kind: 'ttl', ttlMs: numberField(fields, 'ttlMs') };
    case 'script': {
      const [program, ...rest] = stringListField(fields, 'command');
      if (program === undefined) throw new DamagedValue('command is empty');
      return { kind: 'script', command: [program, ...rest] };
    }
    default:
      throw new DamagedValue(`a probe of unknown kind ${String(fields.kind)}`);
  }
}
