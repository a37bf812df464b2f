import type {
  CheckSpec,
  Instance,
  ProbeConfig,
  RegisterOutcome,
  Registry,
  ServiceView,
} from '@portolan/core';
import { toRoleJson, toTermJson } from './exclusive-json.ts';

/** An instance as the API answers it. */
export function toInstanceJson(instance: Instance) {
  const { intent, lease } = instance;
  return {
    id: instance.id,
    service: instance.service.name,
    namespace: instance.service.namespace,
    group: instance.service.group,
    address: instance.address,
    port: instance.port,
    tags: instance.tags,
    metadata: instance.metadata,
    labels: instance.labels,
    weight: instance.weight,
    effectiveWeight: instance.effectiveWeight,
    status: instance.status,
    statusReason: instance.statusReason,
    routable: instance.routable,
    protected: instance.protected,
    exclusive: toRoleJson(instance.exclusive),
    intent: {
      enabled: intent.enabled,
      weight: intent.weight ?? null,
      maintenance: intent.maintenance ?? null,
    },
    lease: lease
      ? { profile: lease.profile, heartbeatMs: lease.heartbeatMs, ttlMs: lease.ttlMs }
      : null,
    checks: instance.checks.map(toCheckJson),
    ...(instance.owner === undefined ? undefined : { owner: instance.owner }),
    ...(instance.condition === undefined ? undefined : { condition: instance.condition }),
    registeredAt: new Date(instance.registeredAtMs).toISOString(),
    createRevision: instance.createRevision,
    modifyRevision: instance.modifyRevision,
  };
}

/** What came of a registration. */
export function toRegisterJson(outcome: RegisterOutcome) {
  return {
    instance: toInstanceJson(outcome.instance),
    created: outcome.created,
    changed: outcome.changed,
    superseded: outcome.superseded ?? null,
    revision: outcome.instance.modifyRevision,
    heartbeatMs: outcome.instance.lease?.heartbeatMs ?? null,
  };
}

/** One instance with the present state of its checks and its lease. */
export function toInstanceDetailJson(instance: Instance, registry: Registry) {
  const ref = { namespace: instance.service.namespace, id: instance.id };
  const json = toInstanceJson(instance);
  const lease = registry.lease(ref);
  const states = new Map(registry.checks(ref).map((state) => [state.id, state]));
  return {
    ...json,
    lease: json.lease && {
      ...json.lease,
      remainingMs: Math.max(0, Math.round(lease?.remainingMs ?? 0)),
    },
    checks: json.checks.map((check) => {
      const state = states.get(check.id);
      return {
        ...check,
        status: state?.status ?? 'unknown',
        output: state?.output ?? '',
        lastProbeAt:
          state?.lastProbeAtMs === undefined ? null : new Date(state.lastProbeAtMs).toISOString(),
        consecutiveSuccesses: state?.consecutiveSuccesses ?? 0,
        consecutiveFailures: state?.consecutiveFailures ?? 0,
      };
    }),
  };
}

function toCheckJson(check: CheckSpec) {
  return {
    id: check.id,
    kind: check.probe.kind,
    intervalMs: check.intervalMs,
    timeoutMs: check.timeoutMs,
    rise: check.rise,
    fall: check.fall,
    deregisterAfterMs: check.deregisterAfterMs ?? null,
    target: toTarget(check.probe),
  };
}

/** What a probe asks, without its headers: they may hold credentials. Null for what asks nothing. */
function toTarget(probe: ProbeConfig): string | null {
  switch (probe.kind) {
    case 'http':
      return probe.url;
    case 'tcp':
      return `${bracketed(probe.host)}:${probe.port}`;
    case 'grpc':
      return `${bracketed(probe.host)}:${probe.port}${probe.service === '' ? '' : `/${probe.service}`}`;
    case 'script':
      return probe.command[0];
    case 'ttl':
      return null;
  }
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** A view with the given instances, which may be fewer than it has. */
export function toViewJson(view: ServiceView, instances: readonly Instance[] = view.instances) {
  return {
    service: view.service.name,
    namespace: view.service.namespace,
    group: view.service.group,
    revision: view.revision,
    protection: view.protection
      ? { since: new Date(view.protection.sinceMs).toISOString(), kept: view.protection.kept }
      : null,
    exclusive: view.exclusive && toTermJson(view.exclusive),
    instances: instances.map(toInstanceJson),
  };
}
