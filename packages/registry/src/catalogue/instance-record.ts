import {
  type Condition,
  type Entry,
  type Instance,
  type Intent,
  isRoutableStatus,
  isWithdrawn,
  type Registration,
  type Revision,
  type ServiceKey,
  type Status,
  toLabels,
  worstStatus,
} from '@portolan/core';
import type { StoredStatus } from '../codec/status-codec.ts';

/** Everything the catalogue knows of one instance. Replaced, never changed. */
export interface InstanceRecord {
  /** `namespace/id`. */
  readonly key: string;
  readonly instance: Instance;
  /** Revision of the stored registration: the guard of every write. */
  readonly registrationRevision: Revision;
  readonly stored?: StoredStatus;
  readonly statusRevision: Revision;
}

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
  readonly key: string;
  readonly service: ServiceKey;
  readonly registration: Registration;
  readonly createRevision: Revision;
  readonly registrationRevision: Revision;
  readonly stored: StoredStatus | undefined;
  readonly statusRevision: Revision;
  readonly intent: Intent;
  readonly intentRevision: Revision;
}

/** Status of an instance that nobody has asked or heard yet (rule 2). */
export function firstStatus(registration: Registration): Status {
  const { checks, condition, initialStatus } = registration;
  const known = conditionStatus(condition);
  if (checks.length === 0) return worstStatus([initialStatus, known]);
  const statuses = checks.map((check) => firstCheckStatus(registration, check.probe.kind));
  return worstStatus([...statuses, known]);
}

/** What a condition does to the status of its instance. */
export function conditionStatus(condition: Condition | undefined): Status {
  if (condition?.state === 'starting') return 'unknown';
  return condition?.state === 'unhealthy' ? 'critical' : 'passing';
}

/** A ttl check starts at what the registrant claims; anything we can ask ourselves is asked first. */
export function firstCheckStatus(registration: Registration, kind: string): Status {
  return kind === 'ttl' ? registration.initialStatus : 'unknown';
}

export function firstReason(registration: Registration): string {
  if (registration.condition) return registration.condition.reason;
  return registration.checks.length === 0 ? 'as registered' : 'waiting for the first probe';
}

export function toRecord(parts: RecordParts): InstanceRecord {
  const { registration, stored, intent } = parts;
  const status = stored?.status ?? firstStatus(registration);
  const isProtected = stored?.protected ?? false;
  const { condition } = registration;
  const withdrawn = isWithdrawn(condition);
  const instance: Instance = {
    ...registration,
    service: parts.service,
    labels:
      registration.tags.length === 0
        ? registration.metadata
        : toLabels(registration.tags, registration.metadata),
    status,
    statusReason:
      withdrawn && condition ? condition.reason : (stored?.reason ?? firstReason(registration)),
    intent,
    effectiveWeight: intent.weight ?? registration.weight,
    routable:
      (isRoutableStatus(status) || isProtected) &&
      !withdrawn &&
      intent.enabled &&
      intent.maintenance === undefined,
    protected: isProtected,
    createRevision: parts.createRevision,
    modifyRevision: Math.max(
      parts.registrationRevision,
      parts.statusRevision,
      parts.intentRevision,
    ),
  };
  return {
    key: parts.key,
    instance,
    registrationRevision: parts.registrationRevision,
    statusRevision: parts.statusRevision,
    ...(stored === undefined ? {} : { stored }),
  };
}
