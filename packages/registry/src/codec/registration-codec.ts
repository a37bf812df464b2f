import {
  type CheckSpec,
  DEFAULT_GROUP,
  type LeaseSpec,
  type ProbeConfig,
  type Registration,
  type ServiceKey,
  type Status,
} from '@portolan/core';
import { fromRefKey } from './keys.ts';
import {
  asObject,
  booleanField,
  DamagedValue,
  decodeValue,
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

/** Second layout, as short as it can be: a million of them are in memory. Namespace and id are in the key. */
const LAYOUT = 2;

export function encodeRegistration(registration: Registration): string {
  const { service, lease } = registration;
  return JSON.stringify([
    LAYOUT,
    service.group === DEFAULT_GROUP ? service.name : [service.group, service.name],
    registration.address,
    registration.port,
    registration.weight,
    registration.tags,
    registration.metadata,
    lease === undefined ? 0 : [PROFILES.indexOf(lease.profile), lease.heartbeatMs, lease.ttlMs],
    registration.checks,
    STATUSES.indexOf(registration.initialStatus),
    registration.registeredAtMs,
  ]);
}

/** Of the value under `instance/{key}`. Throws `DamagedValue`. Empty lists and maps are shared. */
export function decodeRegistration(key: string, value: string): Registration {
  if (!value.startsWith('[')) return decodeObject(value);
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    throw new DamagedValue('not JSON');
  }
  const fields = parsed as readonly unknown[];
  if (fields[0] !== LAYOUT || fields.length !== 11) {
    throw new DamagedValue(`layout ${String(fields[0])} with ${fields.length} parts`);
  }
  const [, service, address, port, weight, tags, metadata, lease, checks, status, at] = fields;
  const named = { service, address, port, weight, tags, metadata, checks, at };
  const { namespace, id } = fromRefKey(key);
  const initialStatus = STATUSES[status as number];
  if (initialStatus === undefined) throw new DamagedValue('status is none that is known');
  const registration: Registration = {
    id,
    service: serviceOf(namespace, named),
    address: stringField(named, 'address'),
    port: numberField(named, 'port'),
    tags: sharedTags(stringListField(named, 'tags')),
    metadata: sharedMetadata(stringMapField(named, 'metadata')),
    weight: numberField(named, 'weight'),
    checks: sharedChecks(listField(named, 'checks')),
    initialStatus,
    registeredAtMs: numberField(named, 'at'),
  };
  return lease === 0 ? registration : { ...registration, lease: leaseOf(lease) };
}

function serviceOf(namespace: string, fields: StoredObject): ServiceKey {
  if (typeof fields.service === 'string') {
    return { namespace, group: DEFAULT_GROUP, name: fields.service };
  }
  const [group, name, ...rest] = stringListField(fields, 'service');
  if (group === undefined || name === undefined || rest.length > 0) {
    throw new DamagedValue('service is no group and name');
  }
  return { namespace, group, name };
}

function leaseOf(value: unknown): LeaseSpec {
  const [profile, heartbeatMs, ttlMs] = listField({ lease: value }, 'lease');
  const fields = { profile: PROFILES[profile as number], heartbeatMs, ttlMs };
  return decodeLease(fields);
}

function sharedTags(tags: readonly string[]): readonly string[] {
  return tags.length === 0 ? NO_TAGS : tags;
}

function sharedMetadata(metadata: Readonly<Record<string, string>>) {
  return Object.keys(metadata).length === 0 ? NO_METADATA : metadata;
}

function sharedChecks(checks: readonly unknown[]): readonly CheckSpec[] {
  return checks.length === 0 ? NO_CHECKS : checks.map(decodeCheck);
}

/** The first layout: an object with every field by name. */
function decodeObject(value: string): Registration {
  const fields = decodeValue(value);
  const service = objectField(fields, 'service');
  const registration: Registration = {
    id: stringField(fields, 'id'),
    service: {
      namespace: stringField(service, 'namespace'),
      group: stringField(service, 'group'),
      name: stringField(service, 'name'),
    },
    address: stringField(fields, 'address'),
    port: numberField(fields, 'port'),
    tags: sharedTags(stringListField(fields, 'tags')),
    metadata: sharedMetadata(stringMapField(fields, 'metadata')),
    weight: numberField(fields, 'weight'),
    checks: sharedChecks(listField(fields, 'checks')),
    initialStatus: oneOfField(fields, 'initialStatus', STATUSES),
    registeredAtMs: numberField(fields, 'registeredAtMs'),
  };
  if (fields.lease === undefined) return registration;
  return { ...registration, lease: decodeLease(objectField(fields, 'lease')) };
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
