import { type ServiceKey, type ServiceView, serviceId } from '@portolan/core';
import type { Cluster } from './cluster.ts';
import type { Upstream } from './upstream.ts';

/**
 * Owns the upstreams. One lives for as long as the service has endpoints, a route refers to it, or something is in flight
 * there; afterwards it is closed and forgotten, and made anew when the service comes back.
 */
export interface Upstreams {
  /** The upstream of a service, made when it is not there yet. */
  of(service: ServiceKey): Upstream;
  get(service: ServiceKey): Upstream | undefined;
  /** Keeps the clusters in `used` and drops all others, and with them upstreams nobody needs. */
  retainClusters(used: ReadonlySet<Cluster>): void;
  /** As `retainClusters`, for one service. */
  retainClustersOf(service: ServiceKey, used: ReadonlySet<Cluster>): void;
  /** Forgets the upstream if nobody needs it any more. */
  release(upstream: Upstream): void;
  values(): Iterable<Upstream>;
  readonly size: number;
  close(): void;
}

export interface UpstreamsDeps {
  create(service: ServiceKey): Upstream;
  /** The newest view, for an upstream that is made after its service. */
  view(service: ServiceKey): ServiceView | undefined;
}

/** Makes the owner of the upstreams, without any. */
export function createUpstreams(deps: UpstreamsDeps): Upstreams {
  const known = new Map<string, Upstream>();

  function release(upstream: Upstream): void {
    if (!upstream.unused || known.get(upstream.id) !== upstream) return;
    known.delete(upstream.id);
    upstream.close();
  }

  return {
    of(service) {
      const id = serviceId(service);
      let upstream = known.get(id);
      if (!upstream) {
        upstream = deps.create(service);
        known.set(id, upstream);
        const view = deps.view(service);
        if (view) upstream.apply(view);
      }
      return upstream;
    },
    get: (service) => known.get(serviceId(service)),
    retainClusters(used) {
      for (const upstream of known.values()) {
        upstream.retainClusters(used);
        release(upstream);
      }
    },
    retainClustersOf(service, used) {
      const upstream = known.get(serviceId(service));
      if (!upstream) return;
      upstream.retainClusters(used);
      release(upstream);
    },
    release,
    values: () => known.values(),
    get size() {
      return known.size;
    },
    close() {
      for (const upstream of known.values()) upstream.close();
      known.clear();
    },
  };
}
