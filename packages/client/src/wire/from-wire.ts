import {
  type CheckSpec,
  CONDITION_STATES,
  type ExclusiveRole,
  type ExclusiveTerm,
  type Instance,
  type Intent,
  type ProbeConfig,
  type ServiceKey,
  type ServiceView,
  type Status,
  type TermReason,
  toServiceView,
} from '@portolan/core';
import { WireReader } from './wire-reader.ts';

const STATUSES: readonly Status[] = ['passing', 'warning', 'critical', 'unknown'];

const TERM_REASONS: readonly TermReason[] = ['vacant', 'gone', 'unhealthy', 'drained', 'requested'];

/** A service's view as the model has it. Throws `ANSWER_INVALID`. */
export function fromViewDocument(document: unknown, path = '$'): ServiceView {
  const reader = new WireReader(document, path);
  const service: ServiceKey = {
    namespace: reader.string('namespace'),
    group: reader.string('group'),
    name: reader.string('service'),
  };
  const protection = reader.optional('protection', () => reader.object('protection'));
  const exclusive = reader.optional('exclusive', () => reader.object('exclusive'));
  return toServiceView(
    service,
    reader.number('revision'),
    reader.list('instances', fromInstanceDocument),
    {
      ...(protection
        ? {
            protection: {
              sinceMs: Date.parse(protection.string('since')),
              kept: protection.number('kept'),
            },
          }
        : {}),
      ...(exclusive ? { exclusive: fromTerm(exclusive) } : {}),
    },
  );
}

function fromTerm(reader: WireReader): ExclusiveTerm {
  const active = reader.optional('active', () => reader.string('active'));
  const since = reader.optional('since', () => reader.string('since'));
  const reason = reader.optional('reason', () => reader.oneOf('reason', TERM_REASONS));
  return {
    term: reader.number('term'),
    ...(active === undefined ? {} : { active }),
    ...(since === undefined ? {} : { sinceMs: Date.parse(since) }),
    ...(reason === undefined ? {} : { reason }),
  };
}

function fromRole(reader: WireReader): ExclusiveRole {
  const active = reader.optional('active', () => reader.string('active'));
  return {
    role: reader.oneOf('role', ['active', 'standby']),
    term: reader.number('term'),
    ...(active === undefined ? {} : { active }),
  };
}

/** An instance as the model has it. Throws `ANSWER_INVALID`. */
export function fromInstanceDocument(document: unknown, path = '$'): Instance {
  const reader = new WireReader(document, path);
  const lease = reader.optional('lease', () => reader.object('lease'));
  const exclusive = reader.optional('exclusive', () => reader.object('exclusive'));
  const status = reader.oneOf('status', STATUSES);
  const owner = reader.optional('owner', () => reader.string('owner'));
  const condition = reader.optional('condition', () => reader.object('condition'));
  return {
    id: reader.string('id'),
    service: {
      namespace: reader.string('namespace'),
      group: reader.string('group'),
      name: reader.string('service'),
    },
    address: reader.string('address'),
    port: reader.number('port'),
    tags: reader.strings('tags'),
    metadata: reader.labels('metadata'),
    labels: reader.labels('labels'),
    weight: reader.number('weight'),
    effectiveWeight: reader.number('effectiveWeight'),
    status,
    statusReason: reader.optional('statusReason', () => reader.string('statusReason')) ?? '',
    routable: reader.boolean('routable'),
    protected: reader.optional('protected', () => reader.boolean('protected')) ?? false,
    ...(exclusive ? { exclusive: fromRole(exclusive) } : {}),
    intent: fromIntent(reader),
    ...(lease
      ? {
          lease: {
            profile: lease.oneOf('profile', ['default', 'fast', 'custom']),
            heartbeatMs: lease.number('heartbeatMs'),
            ttlMs: lease.number('ttlMs'),
          },
        }
      : {}),
    checks: reader.optional('checks', () => reader.list('checks', fromCheckDocument)) ?? [],
    initialStatus: status,
    registeredAtMs: Date.parse(reader.string('registeredAt')),
    ...(owner === undefined ? {} : { owner }),
    ...(condition
      ? {
          condition: {
            state: condition.oneOf('state', CONDITION_STATES),
            reason: condition.string('reason'),
          },
        }
      : {}),
    createRevision: reader.number('createRevision'),
    modifyRevision: reader.number('modifyRevision'),
  };
}

function fromIntent(instance: WireReader): Intent {
  const intent = instance.object('intent');
  const weight = intent.optional('weight', () => intent.number('weight'));
  const maintenance = intent.optional('maintenance', () => intent.object('maintenance'));
  return {
    enabled: intent.boolean('enabled'),
    ...(weight === undefined ? {} : { weight }),
    ...(maintenance ? { maintenance: { reason: maintenance.string('reason') } } : {}),
  };
}

/** A mirror never probes, so a check's headers and expectations, which are not shown, take their defaults. */
function fromCheckDocument(document: unknown, path: string): CheckSpec {
  const reader = new WireReader(document, path);
  const deregisterAfterMs = reader.optional('deregisterAfterMs', () =>
    reader.number('deregisterAfterMs'),
  );
  return {
    id: reader.string('id'),
    intervalMs: reader.number('intervalMs'),
    timeoutMs: reader.number('timeoutMs'),
    rise: reader.number('rise'),
    fall: reader.number('fall'),
    ...(deregisterAfterMs === undefined ? {} : { deregisterAfterMs }),
    probe: toProbe(reader),
  };
}

function toProbe(reader: WireReader): ProbeConfig {
  const kind = reader.oneOf('kind', ['http', 'tcp', 'grpc', 'ttl', 'script']);
  const target = reader.optional('target', () => reader.string('target')) ?? '';
  if (kind === 'http') {
    return {
      kind,
      url: target,
      method: 'GET',
      headers: {},
      expectStatus: [{ from: 200, to: 299 }],
      skipTlsVerify: false,
    };
  }
  if (kind === 'ttl') return { kind, ttlMs: reader.number('intervalMs') };
  if (kind === 'script') return { kind, command: [target] };
  const slash = target.indexOf('/');
  const authority = slash < 0 ? target : target.slice(0, slash);
  const colon = authority.lastIndexOf(':');
  const host = authority.slice(0, Math.max(0, colon)).replace(/^\[|\]$/g, '');
  const port = Number(authority.slice(colon + 1));
  if (kind === 'tcp') return { kind, host, port };
  return { kind, host, port, service: slash < 0 ? '' : target.slice(slash + 1), tls: false };
}
