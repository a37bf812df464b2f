import { CONDITION_STATES } from '@portolan/core';
import { z } from 'zod';
import { problemAnswer } from './problem-schemas.ts';
import { routeAnswer } from './route-answer.ts';
import { EVENT_TYPES } from './webhook-schema.ts';

const revision = z.int().min(0);
const status = z.enum(['passing', 'warning', 'critical', 'unknown']);
const labels = z.record(z.string(), z.string());
const instant = z.iso.datetime();
const durationMs = z.int().min(0);

/** What an instance of an exclusive service is; absent elsewhere. */
const roleAnswer = z
  .strictObject({
    role: z.enum(['active', 'standby']),
    term: revision,
    active: z.string().nullable(),
  })
  .optional();

const leaseFields = {
  profile: z.enum(['default', 'fast', 'custom']),
  heartbeatMs: durationMs,
  ttlMs: durationMs,
};
const checkFields = {
  id: z.string(),
  kind: z.enum(['http', 'tcp', 'grpc', 'ttl', 'script']),
  intervalMs: durationMs,
  timeoutMs: durationMs,
  rise: z.int(),
  fall: z.int(),
  deregisterAfterMs: durationMs.nullable(),
  target: z.string().nullable(),
};
const instanceFields = {
  id: z.string(),
  service: z.string(),
  namespace: z.string(),
  group: z.string(),
  address: z.string(),
  port: z.int().min(1).max(65_535),
  tags: z.array(z.string()),
  metadata: labels,
  labels,
  weight: z.int().min(0).max(65_535),
  effectiveWeight: z.int().min(0).max(65_535),
  status,
  statusReason: z.string(),
  routable: z.boolean(),
  protected: z.boolean(),
  exclusive: roleAnswer,
  intent: z.strictObject({
    enabled: z.boolean(),
    weight: z.int().nullable(),
    maintenance: z.strictObject({ reason: z.string() }).nullable(),
  }),
  /** Provider that keeps it registered. */
  owner: z.string().optional(),
  condition: z.strictObject({ state: z.enum(CONDITION_STATES), reason: z.string() }).optional(),
  registeredAt: instant,
  createRevision: revision,
  modifyRevision: revision,
};

export const instanceAnswer = z
  .strictObject({
    ...instanceFields,
    lease: z.strictObject(leaseFields).nullable(),
    checks: z.array(z.strictObject(checkFields)),
  })
  .meta({ id: 'Instance' });

export const instanceDetailAnswer = z
  .strictObject({
    ...instanceFields,
    lease: z.strictObject({ ...leaseFields, remainingMs: durationMs }).nullable(),
    checks: z.array(
      z.strictObject({
        ...checkFields,
        status,
        output: z.string(),
        lastProbeAt: instant.nullable(),
        consecutiveSuccesses: z.int(),
        consecutiveFailures: z.int(),
      }),
    ),
  })
  .meta({ id: 'InstanceDetail' });

export const registerAnswer = z
  .strictObject({
    instance: instanceAnswer,
    created: z.boolean(),
    changed: z.boolean(),
    superseded: z.string().nullable(),
    revision,
    heartbeatMs: durationMs.nullable(),
  })
  .meta({ id: 'RegisterAnswer' });

export const batchAnswer = z
  .strictObject({
    results: z.array(
      z.union([
        z.strictObject({
          ok: z.literal(true),
          id: z.string(),
          created: z.boolean(),
          changed: z.boolean(),
          revision,
        }),
        z.strictObject({ ok: z.literal(false), error: problemAnswer }),
      ]),
    ),
    failed: z.int(),
  })
  .meta({ id: 'BatchAnswer' });

export const instancesAnswer = z
  .strictObject({ instances: z.array(instanceAnswer), revision })
  .meta({ id: 'Instances' });

export const deregisteredAnswer = z
  .strictObject({ deregistered: instanceAnswer })
  .meta({ id: 'Deregistered' });

export const heartbeatAnswer = z
  .strictObject({
    id: z.string(),
    ttlMs: durationMs.nullable(),
    status,
    exclusive: roleAnswer,
  })
  .meta({ id: 'HeartbeatAnswer' });

export const heartbeatBatchAnswer = z
  .strictObject({ renewed: z.int(), unknown: z.array(z.string()) })
  .meta({ id: 'HeartbeatBatchAnswer' });

export const servicesAnswer = z
  .strictObject({
    services: z.array(
      z.strictObject({
        service: z.string(),
        namespace: z.string(),
        group: z.string(),
        instances: z.int(),
        routable: z.int(),
        protected: z.boolean(),
        exclusive: z.boolean(),
        revision,
      }),
    ),
    revision,
  })
  .meta({ id: 'Services' });

const termFields = {
  term: revision,
  active: z.string().nullable(),
  since: instant.nullable(),
  reason: z.enum(['vacant', 'gone', 'unhealthy', 'drained', 'requested']).nullable(),
};

export const viewAnswer = z
  .strictObject({
    service: z.string(),
    namespace: z.string(),
    group: z.string(),
    revision,
    protection: z.strictObject({ since: instant, kept: z.int() }).nullable(),
    exclusive: z.strictObject(termFields).optional(),
    instances: z.array(instanceAnswer),
  })
  .meta({ id: 'View' });

const ownerFields = { service: z.string(), namespace: z.string(), group: z.string() };

export const settingsAnswer = z
  .strictObject({
    ...ownerFields,
    exclusive: z.boolean(),
    createRevision: revision,
    modifyRevision: revision,
  })
  .meta({ id: 'ServiceSettings' });

export const settingsDeletedAnswer = z
  .strictObject({ deleted: settingsAnswer })
  .meta({ id: 'ServiceSettingsDeleted' });

export const termAnswer = z
  .strictObject({ ...ownerFields, ...termFields })
  .meta({ id: 'ExclusiveTerm' });

export const routesAnswer = z
  .strictObject({ routes: z.array(routeAnswer), revision })
  .meta({ id: 'Routes' });
export const routeDeletedAnswer = z
  .strictObject({ deleted: routeAnswer })
  .meta({ id: 'RouteDeleted' });

const eventHead = { revision, at: instant };
const serviceParts = { service: z.string(), namespace: z.string(), group: z.string() };

export const eventAnswer = z
  .union([
    z.strictObject({
      ...eventHead,
      type: z.enum(['instance-registered', 'instance-updated', 'instance-intent']),
      instance: instanceAnswer,
    }),
    z.strictObject({
      ...eventHead,
      type: z.literal('instance-status'),
      instance: instanceAnswer,
      previous: z.string(),
    }),
    z.strictObject({
      ...eventHead,
      type: z.literal('instance-deregistered'),
      instance: instanceAnswer,
      reason: z.enum(['requested', 'expired', 'check', 'superseded', 'moved']),
    }),
    z.strictObject({
      ...eventHead,
      type: z.literal('protection-entered'),
      ...serviceParts,
      kept: z.int(),
    }),
    z.strictObject({ ...eventHead, type: z.literal('protection-left'), ...serviceParts }),
    z.strictObject({ ...eventHead, type: z.literal('route-put'), route: routeAnswer }),
    z.strictObject({
      ...eventHead,
      type: z.literal('route-deleted'),
      namespace: z.string(),
      name: z.string(),
    }),
    z.strictObject({
      ...eventHead,
      type: z.enum(['policy-put', 'policy-deleted']),
      ...serviceParts,
    }),
    z.strictObject({
      ...eventHead,
      type: z.literal('settings-put'),
      ...serviceParts,
      exclusive: z.boolean(),
    }),
    z.strictObject({ ...eventHead, type: z.literal('settings-deleted'), ...serviceParts }),
    z.strictObject({
      ...eventHead,
      type: z.literal('active-changed'),
      ...serviceParts,
      active: z.string().nullable(),
      previous: z.string().nullable(),
      reason: z.enum(['vacant', 'gone', 'unhealthy', 'drained', 'requested']),
    }),
    z.strictObject({
      ...eventHead,
      type: z.enum(['namespace-put', 'namespace-deleted']),
      name: z.string(),
    }),
  ])
  .meta({ id: 'Event' });

export const eventsAnswer = z
  .strictObject({ events: z.array(eventAnswer), revision, horizon: revision })
  .meta({ id: 'Events' });

export const namespaceAnswer = z
  .strictObject({ name: z.string(), services: z.int(), instances: z.int() })
  .meta({ id: 'Namespace' });
export const namespacesAnswer = z
  .strictObject({ namespaces: z.array(namespaceAnswer) })
  .meta({ id: 'Namespaces' });
export const namespaceDeletedAnswer = z
  .strictObject({ deleted: z.string() })
  .meta({ id: 'NamespaceDeleted' });

export const webhookAnswer = z
  .strictObject({
    id: z.string(),
    url: z.string(),
    events: z.array(z.enum(EVENT_TYPES)),
    namespace: z.string().nullable(),
    service: z.string().nullable(),
    createRevision: revision,
    modifyRevision: revision,
  })
  .meta({ id: 'Webhook' });
export const webhooksAnswer = z
  .strictObject({ webhooks: z.array(webhookAnswer) })
  .meta({ id: 'Webhooks' });
export const webhookDeletedAnswer = z
  .strictObject({ deleted: webhookAnswer })
  .meta({ id: 'WebhookDeleted' });
export const webhookFailuresAnswer = z
  .strictObject({
    failures: z.array(
      z.strictObject({
        deliveryId: z.string(),
        revision,
        at: instant,
        attempts: z.int(),
        outcome: z.enum(['failed', 'dropped']),
        reason: z.string(),
      }),
    ),
  })
  .meta({ id: 'WebhookFailures' });

export const anyObjectAnswer = z.looseObject({});
