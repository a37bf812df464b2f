import type {
  CircuitLimits,
  LocalityPolicy,
  SessionAffinity,
  TrafficPolicy,
  TrafficSettings,
  TransportPolicy,
} from '../model/traffic-policy.ts';
import type { OutlierOptions } from '../resilience/outlier-detection.ts';
import type { RetryBudgetOptions } from '../resilience/retry-budget.ts';
import { balancerNameShape, callerKeyShape } from './read-route.ts';
import {
  flagShape,
  listOf,
  mapOf,
  numberShape,
  objectOf,
  oneOf,
  optional,
  textShape,
} from './shape.ts';

const tls = objectOf<NonNullable<TransportPolicy['tls']>>({
  serverName: optional(textShape),
  caFile: optional(textShape),
  certFile: optional(textShape),
  keyFile: optional(textShape),
  verify: optional(flagShape),
});

const settings = {
  balancer: optional(balancerNameShape),
  hash: optional(callerKeyShape),
  slowStartMs: optional(numberShape),
  locality: optional(
    objectOf<LocalityPolicy>({
      preferLocal: optional(flagShape),
      spillBelow: optional(numberShape),
      failover: optional(listOf(textShape)),
    }),
  ),
  affinity: optional(
    objectOf<SessionAffinity>({
      cookie: textShape,
      ttlMs: numberShape,
      path: optional(textShape),
      sameSite: optional(oneOf('strict', 'lax', 'none')),
    }),
  ),
  limits: optional(
    objectOf<CircuitLimits>({
      maxRequests: optional(numberShape),
      maxRetries: optional(numberShape),
      maxRequestsPerEndpoint: optional(numberShape),
      maxConnectionsPerEndpoint: optional(numberShape),
      maxPendingPerEndpoint: optional(numberShape),
    }),
  ),
  outlier: optional(
    objectOf<Partial<OutlierOptions>>({
      consecutiveFailures: optional(numberShape),
      consecutive5xx: optional(numberShape),
      intervalMs: optional(numberShape),
      successRateDeviations: optional(numberShape),
      successRateRequests: optional(numberShape),
      successRateEndpoints: optional(numberShape),
      baseEjectionMs: optional(numberShape),
      connectEjectionMs: optional(numberShape),
      maxRefusedEjectionMs: optional(numberShape),
      maxEjectionMs: optional(numberShape),
      maxEjectedShare: optional(numberShape),
    }),
  ),
  panicShare: optional(numberShape),
  retryBudget: optional(
    objectOf<Partial<RetryBudgetOptions>>({
      share: optional(numberShape),
      minConcurrent: optional(numberShape),
    }),
  ),
  transport: optional(
    objectOf<TransportPolicy>({
      protocol: optional(oneOf('http/1.1', 'h2', 'auto')),
      tls: optional(tls),
      proxyProtocol: optional(oneOf(1, 2)),
      connectTimeoutMs: optional(numberShape),
    }),
  ),
};

const policy = objectOf<TrafficPolicy>({
  service: textShape,
  namespace: textShape,
  group: textShape,
  ...settings,
  subsets: mapOf(
    objectOf<TrafficPolicy['subsets'][string] & TrafficSettings>({
      labels: mapOf(textShape),
      ...settings,
    }),
  ),
});

/** Reads a traffic policy as the model has it, whoever wrote it down. Throws a `ShapeError`. */
export function readTrafficPolicy(value: unknown, path = '$'): TrafficPolicy {
  return policy(value, path);
}
