import type { TrafficPolicy } from '@portolan/core';
import { z } from 'zod';
import type { BodyCodec, RuleProblem } from '../body/body-codec.ts';
import { describe } from '../body/zod-problems.ts';
import { DAY_MS, durationField, metadataField, nameField, toLabelValues } from './fields.ts';
import {
  balancerField,
  callerField,
  cookieName,
  cookieTtl,
  hostField,
  pathField,
  shareField,
} from './route-parts.ts';
import { withoutUndefined } from './without-undefined.ts';

const timeField = durationField({ minMs: 1, maxMs: DAY_MS });
const limit = z.int().min(1).max(1_000_000);
const FILE_EXPECTED = 'the absolute path of a PEM file on the machine of the gateway';
const fileField = z
  .string({ error: FILE_EXPECTED })
  .max(4_096)
  .refine((text) => text.startsWith('/') && !text.includes('\0'), { error: FILE_EXPECTED });

const outlierField = z
  .strictObject({
    consecutiveFailures: z.int().min(1).max(10_000).optional(),
    consecutive5xx: z.int().min(0).max(10_000).optional(),
    interval: timeField.optional(),
    successRateDeviations: z.number().min(0).max(100).optional(),
    successRateRequests: z.int().min(1).max(1_000_000).optional(),
    successRateEndpoints: z.int().min(2).max(10_000).optional(),
    baseEjection: timeField.optional(),
    maxEjection: timeField.optional(),
    maxEjectedShare: shareField.optional(),
  })
  .transform(({ baseEjection, maxEjection, interval, ...rest }) =>
    withoutUndefined({
      ...rest,
      baseEjectionMs: baseEjection,
      maxEjectionMs: maxEjection,
      intervalMs: interval,
    }),
  )
  .meta({ id: 'OutlierDetection' });

const settingsFields = {
  balancer: balancerField.optional(),
  hash: callerField.optional(),
  slowStart: timeField.optional(),
  locality: z
    .strictObject({
      preferLocal: z.boolean().optional(),
      spillBelow: shareField.optional(),
      failover: z.array(nameField).max(16).optional(),
    })
    .transform(withoutUndefined)
    .optional(),
  affinity: z
    .strictObject({
      cookie: cookieName,
      ttl: cookieTtl.optional(),
      path: pathField.optional(),
      sameSite: z.enum(['strict', 'lax', 'none']).optional(),
    })
    .transform(({ ttl, ...rest }) => withoutUndefined({ ...rest, ttlMs: ttl ?? 0 }))
    .optional(),
  limits: z
    .strictObject({
      maxRequests: limit.optional(),
      maxRetries: z.int().min(0).max(1_000_000).optional(),
      maxRequestsPerEndpoint: limit.optional(),
      maxConnectionsPerEndpoint: limit.optional(),
      maxPendingPerEndpoint: limit.optional(),
    })
    .transform(withoutUndefined)
    .optional(),
  outlier: outlierField.optional(),
  panicShare: shareField.optional(),
  retryBudget: z
    .strictObject({
      share: shareField.optional(),
      minConcurrent: z.int().min(0).max(100_000).optional(),
    })
    .transform(withoutUndefined)
    .optional(),
  transport: z
    .strictObject({
      protocol: z.enum(['http/1.1', 'h2', 'auto']).optional(),
      tls: z
        .strictObject({
          serverName: hostField.optional(),
          caFile: fileField.optional(),
          certFile: fileField.optional(),
          keyFile: fileField.optional(),
          verify: z.boolean().optional(),
        })
        .transform(withoutUndefined)
        .optional(),
      proxyProtocol: z.union([z.literal(1), z.literal(2)], { error: '1 or 2' }).optional(),
      connectTimeout: timeField.optional(),
    })
    .transform(({ connectTimeout, ...rest }) =>
      withoutUndefined({ ...rest, connectTimeoutMs: connectTimeout }),
    )
    .optional(),
};

const subsetSchema = z
  .strictObject({ labels: metadataField, ...settingsFields })
  .transform(({ labels, slowStart, ...settings }) =>
    withoutUndefined({ ...settings, labels: toLabelValues(labels), slowStartMs: slowStart }),
  )
  .meta({ id: 'Subset' });

export const policySchema = z
  .strictObject({
    service: nameField.optional(),
    namespace: nameField.optional(),
    group: nameField.optional(),
    ...settingsFields,
    subsets: z.record(nameField, subsetSchema).optional(),
  })
  .meta({
    id: 'TrafficPolicyBody',
    examples: [
      {
        balancer: 'ewma',
        slowStart: '30s',
        limits: { maxRequestsPerEndpoint: 100 },
        subsets: {
          v1: { labels: { version: 'v1' } },
          v2: { labels: { version: 'v2' }, balancer: 'least-request' },
        },
      },
    ],
  });

/** Whose policy it is, as the path and the query say. */
export interface PolicyOwner {
  readonly service: string;
  readonly namespace: string;
  readonly group: string;
}

/** The codec of one service's policy: the body may repeat whose it is but not contradict the path. */
export function policyCodec(owner: PolicyOwner): BodyCodec<typeof policySchema> {
  return {
    schema: policySchema,
    rules: (body) => {
      const problems: RuleProblem[] = [];
      for (const [field, asked] of Object.entries(owner)) {
        const given = body[field];
        if (given !== undefined && given !== asked) {
          const expected = 'the same as in the path';
          problems.push({ path: [field], expected, found: describe(given) });
        }
      }
      const subsets = body.subsets;
      const all = typeof subsets === 'object' && subsets !== null ? Object.entries(subsets) : [];
      problems.push(...needsCertificatePair(body, []));
      for (const [name, subset] of all) problems.push(...needsCertificatePair(subset, [name]));
      return problems;
    },
  };
}

function needsCertificatePair(settings: unknown, subset: readonly string[]): RuleProblem[] {
  const tls = (settings as { transport?: { tls?: Record<string, unknown> } } | null)?.transport
    ?.tls;
  if (!tls || (tls.certFile === undefined) === (tls.keyFile === undefined)) return [];
  const at = subset.length === 0 ? [] : ['subsets', ...subset];
  return [{ path: [...at, 'transport', 'tls'], expected: 'certFile and keyFile, or neither' }];
}

export function toPolicy(
  body: z.output<typeof policySchema>,
  { service, namespace, group }: PolicyOwner,
): TrafficPolicy {
  const { slowStart, subsets, ...settings } = body;
  return withoutUndefined({
    ...settings,
    service,
    namespace,
    group,
    slowStartMs: slowStart,
    subsets: subsets ?? {},
  });
}
