import {
  type Condition,
  type Entry,
  type ExclusiveRole,
  type Instance,
  type Intent,
  isHostName,
  isRoutableStatus,
  isWithdrawn,
  type LeaseSpec,
  type Revision,
  type ServiceKey,
  type Status,
  worstStatus,
} from '@portolan/core';
import { idOf } from '../codec/keys.ts';
import type { RegistrationShape } from '../codec/registration-codec.ts';
import type { StoredStatus } from '../codec/status-codec.ts';
import { placeHash } from './place-index.ts';
import { type RecordHost, toAddress, toHost } from './record-host.ts';
import type { SharedShape } from './registration-shape.ts';

/** What a commit batch did to one instance. */
export interface RecordDelta {
  readonly key: string;
  readonly before: InstanceRecord | undefined;
  readonly after: InstanceRecord | undefined;
}

/** What one revision says of one instance: absent kept as it was, null deleted. */
export interface InstanceTouch {
  registration?: Entry | null;
  status?: Entry | null;
}

export interface RecordParts {
  /** Of `refKey`. */
  readonly key: string;
  /** The one object of this service that all its instances share. */
  readonly service: ServiceKey;
  readonly address: string;
  readonly port: number;
  readonly registeredAtMs: number;
  readonly condition?: Condition | undefined;
  readonly shape: SharedShape;
  readonly createRevision: Revision;
  readonly registrationRevision: Revision;
  readonly stored: StoredStatus | undefined;
  readonly statusRevision: Revision;
  readonly intent: Intent;
  readonly intentRevision: Revision;
  /** Present in an exclusive service. */
  readonly exclusive?: ExclusiveRole | undefined;
  readonly exclusiveRevision?: Revision;
}

/** Number of no lease's slot. */
export const NO_LEASE = -1;

/**
 * Everything the catalogue knows of one instance. Replaced, never changed. There are a million of them and few are looked at: what
 * they say alike they share, and an instance as readers see it is made when somebody asks.
 */
export class InstanceRecord {
  readonly key: string;
  readonly service: ServiceKey;
  readonly #host: RecordHost;
  readonly port: number;
  /** Whole seconds and the rest: small integers are no objects, milliseconds of today are. */
  readonly #registeredAtS: number;
  readonly #registeredRestMs: number;
  readonly condition: Condition | undefined;
  readonly shape: SharedShape;
  readonly status: Status;
  readonly routable: boolean;
  readonly intent: Intent;
  readonly stored: StoredStatus | undefined;
  readonly exclusive: ExclusiveRole | undefined;
  readonly createRevision: Revision;
  /** Revision of the stored registration: the guard of every write. */
  readonly registrationRevision: Revision;
  readonly statusRevision: Revision;
  readonly modifyRevision: Revision;
  /** Where the lease table keeps its lease; handed on to the record that follows. */
  leaseSlot: number = NO_LEASE;
  #held: WeakRef<Instance> | undefined = undefined;

  constructor(parts: RecordParts) {
    const { condition, shape, stored, intent, exclusive } = parts;
    this.key = parts.key;
    this.service = parts.service;
    this.#host = toHost(parts.address);
    this.port = parts.port;
    this.#registeredAtS = Math.floor(parts.registeredAtMs / 1_000);
    this.#registeredRestMs = parts.registeredAtMs - this.#registeredAtS * 1_000;
    this.condition = condition;
    this.shape = shape;
    this.status = stored?.status ?? worstStatus([shape.firstStatus, conditionStatus(condition)]);
    this.intent = intent;
    this.routable =
      (isRoutableStatus(this.status) || stored?.protected === true) &&
      intent.enabled &&
      intent.maintenance === undefined &&
      !isWithdrawn(condition) &&
      exclusive?.role !== 'standby';
    this.stored = stored;
    this.exclusive = exclusive;
    this.createRevision = parts.createRevision;
    this.registrationRevision = parts.registrationRevision;
    this.statusRevision = parts.statusRevision;
    this.modifyRevision = Math.max(
      parts.registrationRevision,
      parts.statusRevision,
      parts.intentRevision,
      parts.exclusiveRevision ?? 0,
    );
  }

  get address(): string {
    return toAddress(this.#host);
  }

  get registeredAtMs(): number {
    return this.#registeredAtS * 1_000 + this.#registeredRestMs;
  }

  get lease(): LeaseSpec | undefined {
    return this.shape.lease;
  }

  get hasChecks(): boolean {
    return this.shape.checks.length > 0;
  }

  get protected(): boolean {
    return this.stored?.protected ?? false;
  }

  /** Whether losing it now would be a loss: what mass-loss protection counts. One that is leaving is none. */
  get isHealthy(): boolean {
    return isRoutableStatus(this.status) && !this.protected && !isWithdrawn(this.condition);
  }

  /** Whether its address is a host name. */
  get isNamed(): boolean {
    return typeof this.#host === 'string' && isHostName(this.#host);
  }

  /** Hash of address and port. */
  get place(): number {
    return placeHash(this.#host, this.port);
  }

  standsAt(service: ServiceKey, host: RecordHost, port: number): boolean {
    return this.#host === host && this.port === port && this.service === service;
  }

  /** Made at each call, unless somebody holds what `hold` gave. */
  get instance(): Instance {
    return this.#held?.deref() ?? toInstance(this);
  }

  /** The same object for as long as anybody holds it: of views, whose readers look for what changed. */
  hold(): Instance {
    const held = this.#held?.deref();
    if (held) return held;
    const instance = toInstance(this);
    this.#held = new WeakRef(instance);
    return instance;
  }
}

function toInstance(record: InstanceRecord): Instance {
  const { condition, shape, stored, intent, exclusive } = record;
  const { owner, lease } = shape;
  return {
    id: idOf(record.key),
    service: record.service,
    address: record.address,
    port: record.port,
    tags: shape.tags,
    metadata: shape.metadata,
    weight: shape.weight,
    ...(lease === undefined ? undefined : { lease }),
    ...(owner === undefined ? undefined : { owner }),
    ...(condition === undefined ? undefined : { condition }),
    checks: shape.checks,
    initialStatus: shape.initialStatus,
    registeredAtMs: record.registeredAtMs,
    labels: shape.labels,
    status: record.status,
    statusReason:
      condition && isWithdrawn(condition)
        ? condition.reason
        : (stored?.reason ?? firstReason({ checks: shape.checks, condition })),
    intent,
    effectiveWeight: intent.weight ?? shape.weight,
    routable: record.routable,
    protected: record.protected,
    ...(exclusive === undefined ? undefined : { exclusive }),
    createRevision: record.createRevision,
    modifyRevision: record.modifyRevision,
  };
}

/** What a condition does to the status of its instance. */
export function conditionStatus(condition: Condition | undefined): Status {
  if (condition?.state === 'starting') return 'unknown';
  return condition?.state === 'unhealthy' ? 'critical' : 'passing';
}

export function firstReason({
  checks,
  condition,
}: Pick<RegistrationShape, 'checks'> & { readonly condition?: Condition | undefined }): string {
  if (condition) return condition.reason;
  return checks.length === 0 ? 'as registered' : 'waiting for the first probe';
}
