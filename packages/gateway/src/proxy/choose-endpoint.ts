import type { Cluster } from '../upstream/cluster.ts';
import type { UpstreamEndpoint } from '../upstream/upstream-endpoint.ts';

/** What decides whether an endpoint may take one more request. */
export interface EndpointGate {
  readonly limits: { readonly maxRequestsPerEndpoint: number };
  mayDial(endpoint: UpstreamEndpoint): boolean;
}

/**
 * The balancer's choice, or when that one is full or may not be dialled any other that is not; else the reason why there is
 * none. An endpoint that was tried is chosen again only when nothing else is there.
 */
export function chooseEndpoint(
  cluster: Cluster,
  tried: readonly UpstreamEndpoint[],
  gate: EndpointGate,
): UpstreamEndpoint | 'NO_HEALTHY_ENDPOINT' | 'UPSTREAM_OVERFLOW' {
  const first = cluster.pick({ hash: 0, tried });
  if (!first) return 'NO_HEALTHY_ENDPOINT';
  const limit = gate.limits.maxRequestsPerEndpoint;
  if (first.active < limit && gate.mayDial(first)) return first;
  const other = cluster.search(
    (endpoint) => endpoint.active < limit && !tried.includes(endpoint) && gate.mayDial(endpoint),
  );
  if (other) return other;
  return cluster.search((endpoint) => gate.mayDial(endpoint))
    ? 'UPSTREAM_OVERFLOW'
    : 'NO_HEALTHY_ENDPOINT';
}
