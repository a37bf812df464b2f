import type { GatewayOptions } from '@portolan/gateway';
import type { PortolanConfig } from './schema.ts';

const NEVER_MS = 2 ** 31 - 1;

/** The `gateway` section in the gateway's own words. */
export function compileGatewayOptions({ gateway }: PortolanConfig): GatewayOptions {
  const { limits, timeouts, retries, outlier } = gateway;
  return {
    http2: gateway.http2,
    proxyProtocolFrom: gateway.proxyProtocolFrom,
    routeByName: gateway.routeByName,
    trustedProxies: gateway.trustedProxies,
    place: { zone: gateway.zone, region: gateway.region },
    limits: {
      responseTimeoutMs: timeouts.request === 0 ? NEVER_MS : timeouts.request,
      maxRequestsPerEndpoint: limits.requestsPerEndpoint,
    },
    server: {
      headBytes: limits.head,
      headTimeoutMs: timeouts.head,
      idleTimeoutMs: timeouts.idle,
      maxConnections: limits.connections,
      // Behind a load balancer every client has its address.
      maxConnectionsPerIp: limits.connections,
    },
    overload: { maxRequests: gateway.overload.requests, lagMs: gateway.overload.lag },
    pool: { connectTimeoutMs: timeouts.connect },
    outlier: {
      // Refused connections still leave rotation: trying them costs a round trip and never an answer.
      consecutiveFailures: outlier.enabled ? outlier.consecutiveFailures : Number.MAX_SAFE_INTEGER,
      baseEjectionMs: outlier.baseEjection,
      maxEjectionMs: outlier.maxEjection,
      maxEjectedShare: outlier.maxEjectedShare,
    },
    routeDefaults: {
      retries: { attempts: retries.attempts },
      balancer: gateway.defaultBalancer,
    },
    retryBudget: { share: retries.budgetShare, minConcurrent: retries.budgetMinimum },
  };
}
