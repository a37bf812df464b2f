import {
  type Entry,
  type Instance,
  type Intent,
  isHostName,
  isRoutableStatus,
  type LeaseSpec,
  type Registration,
  type Revision,
  type ServiceKey,
  type Status,
  toLabels,
  worstStatus,
} from '@portolan/core';
import { decodeRegistration } from '../codec/registration-codec.ts';
import type { StoredStatus } from '../codec/status-codec.ts';
import { placeHash } from './place-index.ts';

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
  /** `namespace/id`. */
  readonly key: string;
  /** The one object of this service that all its instances share. */
  readonly service: ServiceKey;
  /** As stored. */
  readonly value: string;
  readonly registration: Registration;
  readonly createRevision: Revision;
  readonly registrationRevision: Revision;
  readonly stored: StoredStatus | undefined;
  readonly statusRevision: Revision;
  readonly intent: Intent;
  readonly intentRevision: Revision;
}

/**
 * Everything the catalogue knows of one instance. Replaced, never changed. Of a million of them few are looked at, so that the
 * registration stays the text that is stored, and the instance is made from it when somebody asks; whoever holds it keeps it.
 */
export class InstanceRecord {
  readonly key: string;
  readonly service: ServiceKey;
  readonly value: string;
  /** Of address and port. */
  readonly place: number;
  readonly isName: boolean;
  readonly hasChecks: boolean;
  readonly lease: LeaseSpec | undefined;
  readonly status: Status;
  readonly routable: boolean;
  readonly intent: Intent;
  readonly stored: StoredStatus | undefined;
  readonly createRevision: Revision;
  /** Revision of the stored registration: the guard of every write. */
  readonly registrationRevision: Revision;
  readonly statusRevision: Revision;
  readonly intentRevision: Revision;
  #made: WeakRef<Instance> | undefined = undefined;

  constructor(parts: RecordParts) {
    const { registration, stored, intent } = parts;
    this.key = parts.key;
    this.service = parts.service;
    this.value = parts.value;
    this.place = placeHash(registration.address, registration.port);
    this.isName = isHostName(registration.address);
    this.hasChecks = registration.checks.length > 0;
    this.lease = registration.lease && sharedLease(registration.lease);
    this.status = stored?.status ?? firstStatus(registration);
    this.intent = intent;
    this.routable =
      (isRoutableStatus(this.status) || stored?.protected === true) &&
      intent.enabled &&
      intent.maintenance === undefined;
    this.stored = stored;
    this.createRevision = parts.createRevision;
    this.registrationRevision = parts.registrationRevision;
    this.statusRevision = parts.statusRevision;
    this.intentRevision = parts.intentRevision;
  }

  get protected(): boolean {
    return this.stored?.protected ?? false;
  }

  /** Whether losing it now would be a loss: what mass-loss protection counts. */
  get isHealthy(): boolean {
    return isRoutableStatus(this.status) && !this.protected;
  }

  get modifyRevision(): Revision {
    return Math.max(this.registrationRevision, this.statusRevision, this.intentRevision);
  }

  /** The same object for as long as anybody holds it. */
  get instance(): Instance {
    return this.#made?.deref() ?? this.make(decodeRegistration(this.key, this.value));
  }

  /** Makes the instance of its registration, where that is at hand anyway. */
  make(registration: Registration): Instance {
    const instance = toInstance(this, registration);
    this.#made = new WeakRef(instance);
    return instance;
  }
}

function toInstance(record: InstanceRecord, registration: Registration): Instance {
  const { stored, intent } = record;
  const { tags, metadata, lease } = registration;
  return {
    id: registration.id,
    service: record.service,
    address: registration.address,
    port: registration.port,
    tags,
    metadata,
    weight: registration.weight,
    ...(lease === undefined ? undefined : { lease }),
    checks: registration.checks,
    initialStatus: registration.initialStatus,
    registeredAtMs: registration.registeredAtMs,
    labels: tags.length === 0 ? metadata : toLabels(tags, metadata),
    status: record.status,
    statusReason: stored?.reason ?? firstReason(registration),
    intent,
    effectiveWeight: intent.weight ?? registration.weight,
    routable: record.routable,
    protected: record.protected,
    createRevision: record.createRevision,
    modifyRevision: record.modifyRevision,
  };
}

const MAX_SHARED_LEASES = 1_000;
const sharedLeases = new Map<string, LeaseSpec>();

/** Nearly all instances have one of a few leases. */
function sharedLease(lease: LeaseSpec): LeaseSpec {
  const key = `${lease.profile} ${lease.heartbeatMs} ${lease.ttlMs}`;
  const shared = sharedLeases.get(key);
  if (shared) return shared;
  if (sharedLeases.size < MAX_SHARED_LEASES) sharedLeases.set(key, lease);
  return lease;
}

/** Status of an instance that nobody has asked or heard yet (rule 2). */
export function firstStatus(registration: Registration): Status {
  const { checks, initialStatus } = registration;
  if (checks.length === 0) return initialStatus;
  return worstStatus(checks.map((check) => firstCheckStatus(registration, check.probe.kind)));
}

/** A ttl check starts at what the registrant claims; anything we can ask ourselves is asked first. */
export function firstCheckStatus(registration: Registration, kind: string): Status {
  return kind === 'ttl' ? registration.initialStatus : 'unknown';
}

export function firstReason(registration: Registration): string {
  return registration.checks.length === 0 ? 'as registered' : 'waiting for the first probe';
}
