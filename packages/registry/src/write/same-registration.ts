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
    shape.weight === b.weight &&
    shape.initialStatus === b.initialStatus &&
    areSame(shape.tags, b.tags) &&
    isSameLabels(shape.metadata, b.metadata) &&
    shape.lease?.profile === b.lease?.profile &&
    shape.lease?.ttlMs === b.lease?.ttlMs &&
    shape.lease?.heartbeatMs === b.lease?.heartbeatMs &&
    shape.owner === b.owner &&
    a.condition?.state === b.condition?.state &&
    a.condition?.reason === b.condition?.reason &&
    isSameChecks(shape.checks, b.checks)
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

function isSamePlace(a: Facts, b: Facts): boolean {
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
