import { type CheckState, type Status, worstStatus } from '@portolan/core';
import { conditionStatus, firstReason, type InstanceRecord } from '../catalogue/instance-record.ts';
import type { StoredStatus } from '../codec/status-codec.ts';

/** What an instance's checks and reports say of it. */
export interface Health {
  readonly status: Status;
  readonly reason: string;
  readonly checks: Readonly<Record<string, Status>>;
}

/** What its keeper knows, or what its checks say, whichever is worse. */
export function judgeHealth(
  record: Pick<InstanceRecord, 'instance' | 'stored'>,
  states: readonly Pick<CheckState, 'id' | 'status'>[],
): Health {
  const health = judgeChecks(record, states);
  const { condition } = record.instance;
  const known = conditionStatus(condition);
  if (!condition || worstStatus([known, health.status]) === health.status) return health;
  return { ...health, status: known, reason: condition.reason };
}

/** Worst of the checks; without checks what the instance says of itself, else what it was registered with. */
function judgeChecks(
  { instance, stored }: Pick<InstanceRecord, 'instance' | 'stored'>,
  states: readonly Pick<CheckState, 'id' | 'status'>[],
): Health {
  if (states.length === 0) {
    const reported = stored?.reported;
    return reported === undefined
      ? { status: instance.initialStatus, reason: firstReason(instance), checks: {} }
      : { status: reported, reason: 'as reported by heartbeat', checks: {} };
  }
  const status = worstStatus(states.map((state) => state.status));
  // `fromEntries` defines own properties: a check called `__proto__` is a name like any other.
  const checks = Object.fromEntries(states.map((state) => [state.id, state.status]));
  return { status, reason: reasonOf(status, states), checks };
}

function reasonOf(status: Status, states: readonly Pick<CheckState, 'id' | 'status'>[]): string {
  if (status === 'passing') return states.length === 1 ? 'check passing' : 'all checks passing';
  const names = states.filter((state) => state.status === status).map((state) => state.id);
  const [first = '', ...others] = names;
  const more = others.length === 0 ? '' : ` and ${others.length} more`;
  return status === 'unknown'
    ? `waiting for the first probe of check ${first}${more}`
    : `check ${first}${more} ${status}`;
}

/** Whether storing `next` would say anything new; the reason alone does not. */
export function isSameHealth(record: InstanceRecord, next: StoredStatus): boolean {
  const { stored } = record;
  if (record.status !== next.status || record.protected !== next.protected) return false;
  if (stored?.reported !== next.reported) return false;
  const ids = Object.keys(next.checks);
  if (!stored) return ids.every((id) => next.checks[id] === 'unknown');
  if (Object.keys(stored.checks).length !== ids.length) return false;
  return ids.every(
    (id) => Object.hasOwn(stored.checks, id) && stored.checks[id] === next.checks[id],
  );
}
