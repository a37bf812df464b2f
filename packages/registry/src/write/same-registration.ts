import type { CheckSpec, Labels, Registration } from '@portolan/core';

type Comparable = Omit<Registration, 'registeredAtMs'>;

/** Whether registering `b` over `a` would change nothing (rule 1). */
export function isSameRegistration(a: Comparable, b: Comparable): boolean {
  return (
    isSamePlace(a, b) &&
    a.weight === b.weight &&
    a.initialStatus === b.initialStatus &&
    a.tags.length === b.tags.length &&
    a.tags.every((tag, at) => tag === b.tags[at]) &&
    isSameLabels(a.metadata, b.metadata) &&
    a.lease?.profile === b.lease?.profile &&
    a.lease?.ttlMs === b.lease?.ttlMs &&
    a.lease?.heartbeatMs === b.lease?.heartbeatMs &&
    a.owner === b.owner &&
    a.condition?.state === b.condition?.state &&
    a.condition?.reason === b.condition?.reason &&
    isSameChecks(a.checks, b.checks)
  );
}

/** Whether what is known of `a`'s health still says something of `b`. */
export function keepsHealth(a: Comparable, b: Comparable): boolean {
  return (
    isSamePlace(a, b) &&
    a.initialStatus === b.initialStatus &&
    a.checks.length === b.checks.length &&
    a.checks.every((check, at) => {
      const other = b.checks[at];
      return check.id === other?.id && JSON.stringify(check.probe) === JSON.stringify(other.probe);
    })
  );
}

export function isSameLabels(a: Labels, b: Labels): boolean {
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => a[key] === b[key]);
}

function isSamePlace(a: Comparable, b: Comparable): boolean {
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
