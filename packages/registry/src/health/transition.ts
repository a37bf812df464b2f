import { type DeregisterReason, type Guard, isWithdrawn, type Op } from '@portolan/core';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { InstanceRecord } from '../catalogue/instance-record.ts';
import { recordGuards } from '../catalogue/record-guards.ts';
import type { CheckScheduler } from '../checks/check-scheduler.ts';
import { statusKey } from '../codec/keys.ts';
import { encodeRegistration } from '../codec/registration-codec.ts';
import { encodeStatus, type StoredStatus } from '../codec/status-codec.ts';
import type { LeaseTable } from '../leases/lease-table.ts';
import { toStored } from '../write/instance-writer.ts';
import { isSameHealth, judgeHealth } from './judge-health.ts';

/** One instance's part of a commit. */
export interface Transition {
  /** `namespace/id`, or the service id of a change of protection. */
  readonly key: string;
  readonly ops: readonly Op[];
  readonly guards: readonly Guard[];
  readonly removal?: Extract<DeregisterReason, 'expired' | 'check' | 'superseded'>;
}

export interface HealthFacts {
  readonly catalogue: Catalogue;
  readonly leases: Pick<LeaseTable, 'isSilent' | 'isExpiring' | 'get'>;
  readonly checks: Pick<CheckScheduler, 'states' | 'isOverdue'>;
}

/** Whether it would leave the rotation if nobody kept it. */
export function isLost(record: InstanceRecord, { leases, checks }: HealthFacts): boolean {
  if (leases.isSilent(record.key) || checks.isOverdue(record.key)) return true;
  if (isWithdrawn(record.condition)) return false;
  return judgeHealth(record, checks.states(record.key)).status === 'critical';
}

/** What has to be written for this instance now; undefined when the store says it already. */
export function toTransition(
  record: InstanceRecord,
  keep: boolean,
  facts: HealthFacts,
): Transition | undefined {
  const { leases, checks } = facts;
  const { key, stored } = record;
  const isSilent = leases.isSilent(key);
  const isKept = keep && isLost(record, facts);
  if (!isKept && isSilent) return removal(record, 'expired', facts);
  if (!isKept && checks.isOverdue(key)) return removal(record, 'check', facts);
  const health = judgeHealth(record, checks.states(key));
  const ttlMs = leases.get(key)?.spec.ttlMs ?? 0;
  const reason = isSilent ? `no heartbeat for ${ttlMs} ms` : health.reason;
  const next: StoredStatus = {
    status: isSilent ? 'critical' : health.status,
    reason: isKept ? `${reason}; kept by mass-loss protection` : reason,
    protected: isKept,
    ...(stored?.reported === undefined ? {} : { reported: stored.reported }),
    checks: health.checks,
  };
  if (isSameHealth(record, next)) return undefined;
  const value = encodeStatus(next);
  return {
    key,
    ops: [{ type: 'put', key: statusKey(key), value }],
    guards: recordGuards(record, facts.catalogue),
  };
}

export function removal(
  record: InstanceRecord,
  reason: NonNullable<Transition['removal']>,
  { catalogue }: Pick<HealthFacts, 'catalogue'>,
): Transition {
  const { key } = record;
  const ops: Op[] = [{ type: 'delete', key: key }];
  if (record.stored || catalogue.damaged.has(statusKey(key))) {
    ops.push({ type: 'delete', key: statusKey(key) });
  }
  return { key, ops, guards: recordGuards(record, catalogue), removal: reason };
}

/** Puts back what was deleted shortly before its service came under protection, unless somebody else is there now. */
export function restoration(record: InstanceRecord, catalogue: Catalogue): Transition | undefined {
  const { key, instance } = record;
  const { service, address, port } = instance;
  if (catalogue.occupant(service, address, port) !== undefined) return undefined;
  const status: StoredStatus = {
    status: 'critical',
    reason: 'lost with many others; kept by mass-loss protection',
    protected: true,
    checks: record.stored?.checks ?? {},
  };
  return {
    key,
    ops: [
      { type: 'put', key, value: encodeRegistration(toStored(instance)) },
      { type: 'put', key: statusKey(key), value: encodeStatus(status) },
    ],
    guards: [
      { key, modifyRevision: 0 },
      { key: statusKey(key), modifyRevision: 0 },
    ],
  };
}
