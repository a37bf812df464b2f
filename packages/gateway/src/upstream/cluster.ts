import {
  type Balancer,
  type BalancerName,
  createBalancer,
  type Labels,
  matchesLabels,
  type PickContext,
  type Random,
} from '@portolan/core';
import type { UpstreamEndpoint } from './upstream-endpoint.ts';

/** The endpoints of one service that carry some labels, behind one balancer. */
export interface Cluster {
  readonly balancer: BalancerName;
  /** Whether a pick would find an endpoint. */
  readonly hasEndpoints: boolean;
  /** Whether every endpoint is ejected, so that all are tried all the same. */
  readonly panicking: boolean;
  /** How many endpoints a pick chooses from. */
  readonly size: number;
  /** Those that a pick chooses from. */
  readonly endpoints: readonly UpstreamEndpoint[];
  pick(context: PickContext): UpstreamEndpoint | undefined;
  /** Looks through all endpoints for one that `accepts`, after the balancer's choices did not. */
  search(accepts: (endpoint: UpstreamEndpoint) => boolean): UpstreamEndpoint | undefined;
  /** Takes the endpoints anew; called by the upstream after every change. */
  refresh(): void;
}

/** Where a cluster finds the endpoints of its service. */
export interface EndpointSource {
  readonly endpoints: readonly UpstreamEndpoint[];
}

/** Makes the cluster of a service for a subset. */
export function createCluster(
  source: EndpointSource,
  subset: Labels,
  balancerName: BalancerName,
  deps: { readonly random: Random },
): Cluster {
  const balancer: Balancer = createBalancer(balancerName, deps);
  let chosen: readonly UpstreamEndpoint[] = [];
  /** Where the last search ended, so that the one after a full endpoint does not get all of its overflow. */
  let searchedTo = 0;
  let panicking = false;

  function refresh(): void {
    const members: UpstreamEndpoint[] = [];
    const usable: UpstreamEndpoint[] = [];
    for (const endpoint of source.endpoints) {
      if (endpoint.ip === undefined || !matchesLabels(endpoint.labels, subset)) continue;
      members.push(endpoint);
      if (!endpoint.outlier.ejected) usable.push(endpoint);
    }
    // All ejected says more about us or the network than about them: trying beats refusing.
    panicking = usable.length === 0 && members.length > 0;
    chosen = panicking ? members : usable;
    balancer.update(chosen);
  }

  refresh();
  return {
    balancer: balancerName,
    get hasEndpoints() {
      return chosen.length > 0;
    },
    get size() {
      return chosen.length;
    },
    get endpoints() {
      return chosen;
    },
    get panicking() {
      return panicking;
    },
    // The balancer returns what it was given, and it was given nothing but upstream endpoints.
    pick: (context) => balancer.pick(context) as UpstreamEndpoint | undefined,
    search(accepts) {
      for (let step = 1; step <= chosen.length; step++) {
        const at = (searchedTo + step) % chosen.length;
        const endpoint = chosen[at];
        if (!endpoint || !accepts(endpoint)) continue;
        searchedTo = at;
        return endpoint;
      }
      return undefined;
    },
    refresh,
  };
}

/** Names a cluster among those of a service. */
export function clusterKey(subset: Labels, balancer: BalancerName): string {
  const labels = Object.keys(subset)
    .sort()
    .map((key) => [key, subset[key]]);
  return `${balancer} ${JSON.stringify(labels)}`;
}
