import {
  type CheckSpec,
  CONDITION_STATES,
  type Condition,
  DEFAULT_GROUP,
  type Labels,
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
import { readUsualHead } from './usual-head.ts';

export const STATUSES: readonly Status[] = ['passing', 'warning', 'critical', 'unknown'];
const PROFILES = ['default', 'fast', 'custom'] as const;
const NO_CHECKS: readonly CheckSpec[] = Object.freeze([]);
const NO_TAGS: readonly string[] = Object.freeze([]);
const NO_METADATA: Readonly<Record<string, string>> = Object.freeze({});

/** Second layout: `2`, the length of what tells the instance from others, that as JSON, and what it may share with others. */
const LAYOUT = '2 ';

/** What many instances of a service say word for word alike: everything but who and where they are. */
export interface RegistrationShape {
  readonly tags: readonly string[];
  readonly metadata: Labels;
  readonly weight: number;
  readonly lease: LeaseSpec | undefined;
  readonly checks: readonly CheckSpec[];
  readonly initialStatus: Status;
  readonly owner: string | undefined;
}

/** What tells an instance from others, and the text of its shape. */
export interface RegistrationParts
  extends Pick<Registration, 'service' | 'address' | 'port' | 'registeredAtMs'> {
  readonly condition: Condition | undefined;
  readonly shape: string;
}

/** What `decodeParts` would make of a registration that was just encoded, without reading it. */
export class WrittenRegistration implements RegistrationParts {
  readonly service: ServiceKey;
  readonly address: string;
  readonly port: number;
  readonly registeredAtMs: number;
  readonly condition: Condition | undefined;
  readonly shape: string;

  /** `shape` of `encodeShape`. */
  constructor({ service, address, port, registeredAtMs, condition }: Registration, shape: string) {
    this.service = service;
    this.address = address;
    this.port = port;
    this.registeredAtMs = registeredAtMs;
    this.condition = condition;
    this.shape = shape;
  }
}

/** `shape` is what `encodeShape` gave of the same registration, or of one that says the same. */
export function encodeRegistration(
  registration: Registration,
  shape = encodeShape(registration),
): string {
  const { service, address, port, registeredAtMs, condition } = registration;
  const name = service.group === DEFAULT_GROUP ? service.name : [service.group, service.name];
  const isUsual = typeof name === 'string' && condition === undefined;
  const head =
    isUsual && isPlain(name) && isPlain(address)
      ? `["${name}","${address}",${port},${registeredAtMs}]`
      : JSON.stringify([name, address, port, registeredAtMs, ...toldOf(condition)]);
  return `${LAYOUT}${head.length} ${head}${shape}`;
}

function toldOf(condition: Condition | undefined): readonly unknown[] {
  return condition === undefined ? [] : [[condition.state, condition.reason]];
}

/** Whether it stands in JSON as it is. */
function isPlain(text: string): boolean {
  return /^[\w.:@-]*$/.test(text);
}

export function encodeShape({
  tags,
  metadata,
  weight,
  lease,
  checks,
  initialStatus,
  owner,
}: Registration): string {
  return JSON.stringify([
    weight,
    tags,
    metadata,
    lease === undefined ? 0 : [PROFILES.indexOf(lease.profile), lease.heartbeatMs, lease.ttlMs],
    checks,
    STATUSES.indexOf(initialStatus),
    ...(owner === undefined ? [] : [owner]),
  ]);
}

/** Of the value under `key`. Throws `DamagedValue`; what is wrong with the shape is found by `decodeShape`. */
export function decodeParts(key: string, value: string): RegistrationParts {
  if (!value.startsWith(LAYOUT)) return toParts(decodeObject(value));
  const headAt = value.indexOf(' ', LAYOUT.length) + 1;
  const length = Number(value.slice(LAYOUT.length, headAt - 1));
  const shape = value.slice(headAt + length);
  const usual = readUsualHead(value, headAt, headAt + length);
  if (usual) {
    const { address, port, at } = usual;
    const service = serviceOf(fromRefKey(key).namespace, usual);
    return { service, address, port, registeredAtMs: at, condition: undefined, shape };
  }
  const fields = parseList(value.slice(headAt, headAt + length), 4);
  const [service, address, port, at, condition] = fields;
  const named = { service, address, port, at };
  return {
    service: serviceOf(fromRefKey(key).namespace, named),
    address: stringField(named, 'address'),
    port: numberField(named, 'port'),
    registeredAtMs: numberField(named, 'at'),
    condition: condition === undefined ? undefined : conditionOf(condition),
    shape,
  };
}

/** Throws `DamagedValue`. Empty lists and maps are shared. */
export function decodeShape(text: string): RegistrationShape {
  const [weight, tags, metadata, lease, checks, status, owner] = parseList(text, 6);
  const named = { weight, tags, metadata, checks, owner };
  const initialStatus = STATUSES[status as number];
  if (initialStatus === undefined) throw new DamagedValue('status is none that is known');
  return {
    weight: numberField(named, 'weight'),
    tags: sharedTags(stringListField(named, 'tags')),
    metadata: sharedMetadata(stringMapField(named, 'metadata')),
    lease: lease === 0 ? undefined : leaseOf(lease),
    checks: sharedChecks(listField(named, 'checks')),
    initialStatus,
    owner: owner === undefined ? undefined : stringField(named, 'owner'),
  };
}

/** Of so many parts, or one more. */
function parseList(text: string, length: number): readonly unknown[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new DamagedValue('not JSON');
  }
  if (!Array.isArray(parsed) || parsed.length < length || parsed.length > length + 1) {
    throw new DamagedValue(`not a list of ${length} or one more`);
  }
  return parsed;
}

function toParts(registration: Registration): RegistrationParts {
  const { service, address, port, registeredAtMs, condition } = registration;
  return { service, address, port, registeredAtMs, condition, shape: encodeShape(registration) };
}

function serviceOf(namespace: string, fields: { readonly service?: unknown }): ServiceKey {
  if (typeof fields.service === 'string') {
    return { namespace, group: DEFAULT_GROUP, name: fields.service };
  }
  const [group, name, ...rest] = stringListField(fields, 'service');
  if (group === undefined || name === undefined || rest.length > 0) {
    throw new DamagedValue('service is no group and name');
  }
  return { namespace, group, name };
}

function conditionOf(value: unknown): Condition {
  const [state, reason] = listField({ condition: value }, 'condition');
  const named = { state, reason };
  return {
    state: oneOfField(named, 'state', CONDITION_STATES),
    reason: stringField(named, 'reason'),
  };
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
