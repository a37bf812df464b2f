import type { Cluster } from '../upstream/cluster.ts';
import type { UpstreamEndpoint } from '../upstream/upstream-endpoint.ts';

/** What decides whether an endpoint may take one more request. */
export interface EndpointGate {
  readonly limits: { readonly maxRequestsPerEndpoint: number };
  mayDial(endpoint: UpstreamEndpoint): boolean;
}

/**
 * The balancer's choice, or when that one is full or may not be dialled any other that is not; else the reason why there is
 * none. An endpoint that was tried is chosen again only when nothing else is there. `hash` is the caller's, for clusters that
 * go by it.
 */
export function chooseEndpoint(
  cluster: Cluster,
  tried: readonly UpstreamEndpoint[],
  gate: EndpointGate,
  hash = 0,
): UpstreamEndpoint | 'NO_HEALTHY_ENDPOINT' | 'UPSTREAM_OVERFLOW' {
  const first = cluster.pick({ hash, tried });
  if (!first) return 'NO_HEALTHY_ENDPOINT';
  const limit = requestLimit(cluster, gate.limits);
  if (first.active < limit && gate.mayDial(first)) return first;
  const other = cluster.search(
    (endpoint) => endpoint.active < limit && !tried.includes(endpoint) && gate.mayDial(endpoint),
  );
  if (other) return other;
  return cluster.search((endpoint) => gate.mayDial(endpoint))
    ? 'UPSTREAM_OVERFLOW'
    : 'NO_HEALTHY_ENDPOINT';
}

/** Requests that may be under way at one endpoint of the cluster. */
export function requestLimit(cluster: Cluster, limits: EndpointGate['limits']): number {
  const own = cluster.limits?.maxRequestsPerEndpoint;
  const { maxRequestsPerEndpoint } = limits;
  return own === undefined ? maxRequestsPerEndpoint : Math.min(own, maxRequestsPerEndpoint);
}
