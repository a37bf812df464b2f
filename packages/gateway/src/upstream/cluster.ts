import {
  type AttemptOutcome,
  type Balancer,
  type BalancerName,
  type CallerKey,
  type CircuitLimits,
  type Clock,
  createBalancer,
  matchesLabels,
  type PickContext,
  type Random,
  type SessionAffinity,
} from '@portolan/core';
import type { ClusterSettings } from './cluster-settings.ts';
import { type LocalityLevel, localityLevels, type Place } from './localities.ts';
import type { UpstreamEndpoint } from './upstream-endpoint.ts';

/** The endpoints of one service that a route means, behind one balancer. */
export interface Cluster {
  readonly balancer: BalancerName;
  /** What picks have to be given the hash of; undefined where they need none. */
  readonly hash: CallerKey | undefined;
  readonly affinity: SessionAffinity | undefined;
  readonly limits: CircuitLimits | undefined;
  /** Whether a pick would find an endpoint. */
  readonly hasEndpoints: boolean;
  /** Whether too many endpoints are ejected, so that all are tried all the same. */
  readonly panicking: boolean;
  /** How many endpoints a pick chooses from. */
  readonly size: number;
  /** Those that a pick chooses from. */
  readonly endpoints: readonly UpstreamEndpoint[];
  pick(context: PickContext): UpstreamEndpoint | undefined;
  /** Looks through all endpoints for one that `accepts`, after the balancer's choices did not. */
  search(accepts: (endpoint: UpstreamEndpoint) => boolean): UpstreamEndpoint | undefined;
  /** Tells balancers that learn how an endpoint did. */
  settle(endpoint: UpstreamEndpoint, outcome: AttemptOutcome, latencyMs: number): void;
  /** Takes settings and endpoints anew; called by the upstream after every change. */
  refresh(): void;
}

/** Where a cluster finds the endpoints of its service. */
export interface EndpointSource {
  readonly endpoints: readonly UpstreamEndpoint[];
}

export interface ClusterDeps {
  readonly random: Random;
  readonly clock: Clock;
  readonly place: Place;
  /** As they are now. */
  settings(): ClusterSettings;
}

/** Makes the cluster of a service. */
export function createCluster(source: EndpointSource, deps: ClusterDeps): Cluster {
  const { random } = deps;
  let settings = deps.settings();
  /** One a level: zones, failover and panic decide which list each gets. */
  let balancers: Balancer[] = [];
  let levels: readonly LocalityLevel[] = [];
  let chosen: readonly UpstreamEndpoint[] = [];
  /** Where the last search ended, so that the one after a full endpoint does not get all of its overflow. */
  let searchedTo = 0;
  let panicking = false;

  function refresh(): void {
    const next = deps.settings();
    if (next.balancer !== settings.balancer) balancers = [];
    settings = next;
    const { labels } = settings;
    const members: UpstreamEndpoint[] = [];
    const usable: UpstreamEndpoint[] = [];
    for (const endpoint of source.endpoints) {
      if (labels === undefined || endpoint.ip === undefined) continue;
      if (!matchesLabels(endpoint.labels, labels)) continue;
      members.push(endpoint);
      if (!endpoint.outlier.ejected) usable.push(endpoint);
    }
    // Nearly all ejected says more about us or the network than about them: trying beats refusing.
    panicking =
      members.length > 0 &&
      (usable.length === 0 || usable.length < settings.panicShare * members.length);
    const trusted = panicking ? members : usable;
    levels = localityLevels(members, trusted, settings.locality, deps.place);
    chosen =
      levels.length === 1 ? (levels[0]?.endpoints ?? []) : levels.flatMap((l) => l.endpoints);
    balancers.length = Math.min(balancers.length, levels.length);
    for (const [at, level] of levels.entries()) {
      const balancer = balancers[at] ?? createBalancer(settings.balancer, deps);
      balancers[at] = balancer;
      balancer.update(level.endpoints);
    }
  }

  function levelFor(): number {
    let mark = random();
    for (const [at, { share }] of levels.entries()) {
      mark -= share;
      if (mark < 0) return at;
    }
    return 0;
  }

  refresh();
  return {
    get balancer() {
      return settings.balancer;
    },
    get hash() {
      return settings.hash;
    },
    get affinity() {
      return settings.affinity;
    },
    get limits() {
      return settings.limits;
    },
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
    pick(context) {
      const balancer = balancers[levels.length === 1 ? 0 : levelFor()];
      // The balancer returns what it was given, and it was given nothing but upstream endpoints.
      return balancer?.pick(context) as UpstreamEndpoint | undefined;
    },
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
    settle(endpoint, outcome, latencyMs) {
      for (const balancer of balancers) balancer.settle?.(endpoint, outcome, latencyMs);
    },
    refresh,
  };
}
