import type { CheckSpec, Labels, Registration } from '@portolan/core';

/** Who and where. */
type Facts = Pick<Registration, 'service' | 'address' | 'port'> & {
  readonly condition?: Registration['condition'] | undefined;
};

/** What instances may share. */
type Shape = Pick<Registration, 'tags' | 'metadata' | 'weight' | 'checks' | 'initialStatus'> & {
  readonly lease?: Registration['lease'] | undefined;
  readonly owner?: Registration['owner'] | undefined;
};

/** Whether registering `b` over an instance of these facts and this shape would change nothing (rule 1). */
export function isSameRegistration(a: Facts, shape: Shape, b: Facts & Shape): boolean {
  return (
    isSamePlace(a, b) &&
    a.condition?.state === b.condition?.state &&
    a.condition?.reason === b.condition?.reason &&
    isSameShape(shape, b)
  );
}

/** Whether both say alike what instances may share. */
export function isSameShape(a: Shape, b: Shape): boolean {
  return (
    a.weight === b.weight &&
    a.initialStatus === b.initialStatus &&
    areSame(a.tags, b.tags) &&
    isSameLabels(a.metadata, b.metadata) &&
    a.lease?.profile === b.lease?.profile &&
    a.lease?.ttlMs === b.lease?.ttlMs &&
    a.lease?.heartbeatMs === b.lease?.heartbeatMs &&
    a.owner === b.owner &&
    isSameChecks(a.checks, b.checks)
  );
}

/** Whether what is known of such an instance's health still says something of `b`. */
export function keepsHealth(a: Facts, { initialStatus, checks }: Shape, b: Facts & Shape): boolean {
  return (
    isSamePlace(a, b) &&
    initialStatus === b.initialStatus &&
    checks.length === b.checks.length &&
    checks.every((check, at) => {
      const other = b.checks[at];
      return check.id === other?.id && JSON.stringify(check.probe) === JSON.stringify(other.probe);
    })
  );
}

function areSame(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}

export function isSameLabels(a: Labels, b: Labels): boolean {
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  for (const key of keys) if (a[key] !== b[key]) return false;
  return true;
}

/** Whether both name one address and port of one service. */
export function isSamePlace(a: Facts, b: Facts): boolean {
  return (
    a.service.name === b.service.name &&
    a.service.group === b.service.group &&
    a.service.namespace === b.service.namespace &&
    a.address === b.address &&
    a.port === b.port
  );
}

function isSameChecks(a: readonly CheckSpec[], b: readonly CheckSpec[]): boolean {
  if (a.length !== b.length) return false;
  return a.length === 0 || JSON.stringify(a) === JSON.stringify(b);
}
