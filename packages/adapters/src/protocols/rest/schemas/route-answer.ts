import { BALANCER_NAMES, RETRY_CONDITIONS } from '@portolan/core';
import { z } from 'zod';

const revision = z.int().min(0);
const durationMs = z.number().min(0);
const labels = z.record(z.string(), z.string());
const share = z.number().min(0).max(1);
const words = z.array(z.string());

const textMatches = [
  z.strictObject({ exact: z.string() }),
  z.strictObject({ prefix: z.string() }),
  z.strictObject({ regex: z.string() }),
] as const;
const fieldMatch = z.union([z.string(), ...textMatches, z.strictObject({ present: z.boolean() })]);
const pathMatch = z.union([...textMatches, z.strictObject({ startsWith: z.string() })]);
const fields = z.record(z.string(), fieldMatch);

const headerEdits = z.strictObject({
  remove: words.optional(),
  set: labels.optional(),
  add: labels.optional(),
});

const destinationRef = {
  service: z.string(),
  namespace: z.string(),
  group: z.string(),
  labels,
  subset: z.string().optional(),
};

const caller = z.union([
  z.strictObject({ kind: z.enum(['header', 'query']), name: z.string() }),
  z.strictObject({ kind: z.literal('source') }),
  z.strictObject({
    kind: z.literal('cookie'),
    name: z.string(),
    ttlMs: durationMs.optional(),
    path: z.string().optional(),
  }),
]);
const balancer = z.enum(BALANCER_NAMES);

export const routeAnswer = z
  .strictObject({
    name: z.string(),
    namespace: z.string(),
    hosts: words,
    match: z.array(
      z.strictObject({
        path: pathMatch.optional(),
        ignorePathCase: z.boolean().optional(),
        methods: words.optional(),
        headers: fields.optional(),
        withoutHeaders: fields.optional(),
        query: fields.optional(),
        sources: words.optional(),
        scheme: z.enum(['http', 'https']).optional(),
      }),
    ),
    priority: z.int().optional(),
    to: z.array(
      z.strictObject({
        ...destinationRef,
        weight: z.int(),
        requestHeaders: headerEdits.optional(),
        responseHeaders: headerEdits.optional(),
      }),
    ),
    redirect: z
      .strictObject({
        status: z.int(),
        scheme: z.enum(['http', 'https']).optional(),
        host: z.string().optional(),
        port: z.int().optional(),
        path: z.string().optional(),
        prefix: z.string().optional(),
      })
      .optional(),
    answer: z
      .strictObject({
        status: z.int(),
        body: z.string().optional(),
        contentType: z.string().optional(),
      })
      .optional(),
    rewrite: z
      .strictObject({
        prefix: z.string().nullable(),
        host: z.string().nullable(),
        pattern: z.string().optional(),
        substitution: z.string().optional(),
      })
      .nullable(),
    requestHeaders: headerEdits.optional(),
    responseHeaders: headerEdits.optional(),
    timeoutMs: durationMs.nullable(),
    idleTimeoutMs: durationMs.optional(),
    retries: z
      .strictObject({
        attempts: z.int(),
        perTryTimeoutMs: durationMs.nullable(),
        on: z.array(z.enum(RETRY_CONDITIONS)).optional(),
        statuses: z.array(z.int()).optional(),
        anyMethod: z.boolean().optional(),
        backoff: z.strictObject({ baseMs: durationMs, maxMs: durationMs }).optional(),
      })
      .nullable(),
    hedge: z.strictObject({ delayMs: durationMs, attempts: z.int() }).optional(),
    mirrors: z.array(z.strictObject({ ...destinationRef, share })).optional(),
    fault: z
      .strictObject({
        delay: z.strictObject({ durationMs, share }).optional(),
        abort: z.strictObject({ status: z.int(), share }).optional(),
      })
      .optional(),
    cors: z
      .strictObject({
        origins: z.array(z.union(textMatches)),
        methods: words.optional(),
        headers: words.optional(),
        exposeHeaders: words.optional(),
        maxAgeMs: durationMs.optional(),
        credentials: z.boolean().optional(),
      })
      .optional(),
    sticky: caller.optional(),
    rateLimits: z
      .array(
        z.strictObject({
          by: z.union([z.enum(['route', 'address']), z.strictObject({ header: z.string() })]),
          requests: z.int(),
          periodMs: durationMs,
          burst: z.int().optional(),
        }),
      )
      .optional(),
    bodyLimitBytes: z.int().optional(),
    compression: z
      .strictObject({
        codings: z.array(z.enum(['zstd', 'br', 'gzip'])),
        minBytes: z.int(),
        types: words,
      })
      .optional(),
    auth: z
      .strictObject({
        ...destinationRef,
        path: z.string(),
        appendPath: z.boolean().optional(),
        requestHeaders: words.optional(),
        copyHeaders: words.optional(),
        timeoutMs: durationMs,
        failOpen: z.boolean().optional(),
      })
      .optional(),
    balancer: balancer.nullable(),
    hash: caller.optional(),
    owner: z.string().optional(),
    createRevision: revision,
    modifyRevision: revision,
  })
  .meta({ id: 'Route' });

const settings = {
  balancer: balancer.optional(),
  hash: caller.optional(),
  slowStartMs: durationMs.optional(),
  locality: z
    .strictObject({
      preferLocal: z.boolean().optional(),
      spillBelow: share.optional(),
      failover: words.optional(),
    })
    .optional(),
  affinity: z
    .strictObject({
      cookie: z.string(),
      ttlMs: durationMs,
      path: z.string().optional(),
      sameSite: z.enum(['strict', 'lax', 'none']).optional(),
    })
    .optional(),
  limits: z
    .strictObject({
      maxRequests: z.int().optional(),
      maxRetries: z.int().optional(),
      maxRequestsPerEndpoint: z.int().optional(),
      maxConnectionsPerEndpoint: z.int().optional(),
      maxPendingPerEndpoint: z.int().optional(),
    })
    .optional(),
  outlier: z.record(z.string(), z.number()).optional(),
  panicShare: share.optional(),
  retryBudget: z
    .strictObject({ share: share.optional(), minConcurrent: z.int().optional() })
    .optional(),
  transport: z
    .strictObject({
      protocol: z.enum(['http/1.1', 'h2', 'auto']).optional(),
      tls: z
        .strictObject({
          serverName: z.string().optional(),
          caFile: z.string().optional(),
          certFile: z.string().optional(),
          keyFile: z.string().optional(),
          verify: z.boolean().optional(),
        })
        .optional(),
      proxyProtocol: z.union([z.literal(1), z.literal(2)]).optional(),
      connectTimeoutMs: durationMs.optional(),
    })
    .optional(),
};

export const policyAnswer = z
  .strictObject({
    service: z.string(),
    namespace: z.string(),
    group: z.string(),
    ...settings,
    subsets: z.record(z.string(), z.strictObject({ labels, ...settings })),
    createRevision: revision,
    modifyRevision: revision,
  })
  .meta({ id: 'TrafficPolicy' });
export const policiesAnswer = z
  .strictObject({ policies: z.array(policyAnswer), revision })
  .meta({ id: 'TrafficPolicies' });
export const policyDeletedAnswer = z
  .strictObject({ deleted: policyAnswer })
  .meta({ id: 'TrafficPolicyDeleted' });
