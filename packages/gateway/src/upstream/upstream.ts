import {
  type Clock,
  createRetryBudget,
  ejectBySuccessRate,
  type Instance,
  type Logger,
  newOutlierState,
  noteOutlierSignal,
  type OutlierOptions,
  type OutlierSignal,
  type Random,
  type RetryBudget,
  type RetryBudgetOptions,
  type ServiceKey,
  type ServiceView,
  serviceId,
  type TimerHandle,
  type TrafficPolicy,
  tryReadmit,
} from '@portolan/core';
import type { EndpointTransport } from '../transport/endpoint-transport.ts';
import { type Cluster, createCluster } from './cluster.ts';
import {
  type ClusterRef,
  clusterKey,
  clusterSettings,
  outlierOptions,
  slowStartMs,
  warmsUp,
} from './cluster-settings.ts';
import type { Place } from './localities.ts';
import { endpointKey, UpstreamEndpoint } from './upstream-endpoint.ts';

/** One service as the gateway sees it: endpoints that survive updates, and the clusters made of them. */
export interface Upstream {
  readonly service: ServiceKey;
  readonly id: string;
  readonly retryBudget: RetryBudget;
  /** Requests under way at all endpoints. */
  active: number;
  /** Requests that wait to be tried here again. */
  waiting: number;
  /** Whether nothing refers to it: no endpoint, draining ones included, no cluster, no request. */
  readonly unused: boolean;
  /** Those that may take new requests, resolved or not. */
  readonly endpoints: readonly UpstreamEndpoint[];
  /** Those, and the ones that drain. */
  readonly known: Iterable<UpstreamEndpoint>;
  /**
   * Takes the newest view: adds, updates and drains endpoints. An instance that is the same object as before costs nothing, unless
   * `anew`: what is dialled with may have changed outside of it.
   */
  apply(view: ServiceView, anew?: boolean): void;
  cluster(ref: ClusterRef): Cluster;
  /** Drops the clusters that are not in `used`. */
  retainClusters(used: ReadonlySet<Cluster>): void;
  /** Notes what happened at an endpoint; may eject it. */
  note(endpoint: UpstreamEndpoint, signal: OutlierSignal): void;
  /** To be called when an endpoint's last request ended. */
  endpointIdle(endpoint: UpstreamEndpoint): void;
  /** To be called when the last waiting request is through with it. */
  dropIfUnused(): void;
  /** Makes the clusters look again; called when an endpoint's address was resolved or lost. */
  refresh(): void;
  close(): void;
}

export interface UpstreamDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** A new endpoint is to be dialled: sets `endpoint.ip`, now or later (then followed by `refresh`). */
  onEndpointAdded(upstream: Upstream, endpoint: UpstreamEndpoint): void;
  readonly place: Place;
  policyOf(service: ServiceKey): TrafficPolicy | undefined;
  transportOf(service: ServiceKey, instance: Instance): EndpointTransport;
  /** The endpoint's connections of that transport may close: it has another one now. */
  onTransportLeft(endpoint: UpstreamEndpoint, left: EndpointTransport): void;
  /** The endpoint is gone and idle: its connections may close. */
  onEndpointGone(endpoint: UpstreamEndpoint): void;
  onEjected(upstream: Upstream): void;
  /** The last endpoint or request is gone, and the upstream may be `unused`. */
  onEmpty(upstream: Upstream): void;
}

/** The share that an endpoint begins with. */
const WARM_FROM = 0.1;
const WARM_STEPS = 20;
const MIN_WARM_STEP_MS = 50;

/** Makes the upstream of a service without endpoints. */
export function createUpstream(
  service: ServiceKey,
  options: { readonly outlier: OutlierOptions; readonly retryBudget: RetryBudgetOptions },
  deps: UpstreamDeps,
): Upstream {
  const { clock, logger } = deps;
  /** Draining ones included, so that one that comes back finds itself. */
  const known = new Map<string, UpstreamEndpoint>();
  const clusters = new Map<string, Cluster>();
  let endpoints: readonly UpstreamEndpoint[] = [];
  /** The view's, and beside each of them its endpoint; undefined where it takes no requests. */
  let instances: readonly Instance[] = [];
  let endpointsOf: readonly (UpstreamEndpoint | undefined)[] = [];
  let appliedPolicy: TrafficPolicy | undefined;
  let ejected = 0;
  let comparedAtMs = deps.clock.now();
  let budgetRules = options.retryBudget;
  let retryBudget = createRetryBudget(budgetRules);
  let warming: TimerHandle | undefined;

  function refresh(): void {
    for (const cluster of clusters.values()) cluster.refresh();
  }

  function apply(view: ServiceView, anew = false): void {
    const first = known.size === 0;
    const policy = deps.policyOf(service);
    applyBudget(policy);
    const keeps = !anew && policy === appliedPolicy;
    appliedPolicy = policy;
    const present: UpstreamEndpoint[] = [];
    const slots: (UpstreamEndpoint | undefined)[] = [];
    const passed: UpstreamEndpoint[] = [];
    const admitted = new Set<UpstreamEndpoint>();
    const take = (instance: Instance): UpstreamEndpoint => {
      const endpoint = admit(instance, first);
      admitted.add(endpoint);
      return endpoint;
    };
    // Both lists are in the order of ids: what did not change is found by walking along, without a look into it, which is what
    // costs when there are a hundred thousand. A list in another order is only slower.
    let at = 0;
    for (const instance of view.instances) {
      for (let other = instances[at]; other !== undefined; other = instances[++at]) {
        if (other === instance || other.id > instance.id) break;
        pass(at, passed);
      }
      let endpoint: UpstreamEndpoint | undefined;
      if (instances[at] === instance) {
        endpoint = endpointsOf[at];
        if (!keeps && endpoint) endpoint = take(instance);
        at++;
      } else if (instance.routable && instance.effectiveWeight > 0) {
        endpoint = take(instance);
      }
      slots.push(endpoint);
      if (endpoint) present.push(endpoint);
    }
    for (; at < instances.length; at++) pass(at, passed);
    endpoints = present;
    instances = view.instances;
    endpointsOf = slots;
    for (const endpoint of passed) if (!admitted.has(endpoint)) leave(endpoint);
    if (warming || warmsUp(policy)) warm();
    refresh();
  }

  function pass(at: number, passed: UpstreamEndpoint[]): void {
    const endpoint = endpointsOf[at];
    if (endpoint) passed.push(endpoint);
  }

  /** The endpoint of an instance that is new or changed. */
  function admit(instance: Instance, first: boolean): UpstreamEndpoint {
    const key = endpointKey(instance);
    let endpoint = known.get(key);
    if (!endpoint) {
      endpoint = new UpstreamEndpoint(instance);
      // Those that were there before this gateway have nothing to warm up for.
      if (!first) endpoint.warmSinceMs = clock.now();
      known.set(key, endpoint);
      deps.onEndpointAdded(upstream, endpoint);
    } else if (endpoint.draining) {
      // The registry says it is well again, which is newer knowledge than our ejection.
      endpoint.draining = false;
      endpoint.warmSinceMs = clock.now();
      deps.onEndpointAdded(upstream, endpoint);
    }
    endpoint.labels = instance.labels;
    dialBy(endpoint, deps.transportOf(service, instance));
    endpoint.fullWeight = instance.effectiveWeight;
    endpoint.weight = Math.max(1, Math.round(instance.effectiveWeight));
    return endpoint;
  }

  /** It takes no new requests. */
  function leave(endpoint: UpstreamEndpoint): void {
    endpoint.draining = true;
    forgetEjection(endpoint);
    if (endpoint.active === 0) dropIfGone(endpoint);
  }

  /** New and returned endpoints take a growing share: from a tenth to all of it, in even steps. */
  function warm(): void {
    const policy = deps.policyOf(service);
    const nowMs = clock.now();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const endpoint of endpoints) {
      const overMs = slowStartMs(policy, endpoint.labels);
      const grown = overMs === 0 ? 1 : (nowMs - endpoint.warmSinceMs) / overMs;
      endpoint.weight = Math.max(
        1,
        Math.round(endpoint.fullWeight * Math.min(1, Math.max(WARM_FROM, grown))),
      );
      if (grown < 1) nextMs = Math.min(nextMs, Math.max(MIN_WARM_STEP_MS, overMs / WARM_STEPS));
    }
    warming?.cancel();
    warming = undefined;
    if (nextMs === Number.POSITIVE_INFINITY) return;
    warming = clock.setTimer(nextMs, () => {
      warm();
      refresh();
    });
  }

  function applyBudget(policy: TrafficPolicy | undefined): void {
    const said = policy?.retryBudget;
    const next = said === undefined ? options.retryBudget : { ...options.retryBudget, ...said };
    if (next.share === budgetRules.share && next.minConcurrent === budgetRules.minConcurrent) {
      return;
    }
    budgetRules = next;
    // Places that were taken are given back where they were taken.
    retryBudget = createRetryBudget(next);
  }

  function dialBy(endpoint: UpstreamEndpoint, transport: EndpointTransport): void {
    const before = endpoint.transport;
    if (transport === before) return;
    endpoint.transport = transport;
    const same =
      before.requests.key === transport.requests.key &&
      before.upgrades.key === transport.upgrades.key;
    if (!same) deps.onTransportLeft(endpoint, before);
  }

  function dropIfGone(endpoint: UpstreamEndpoint): void {
    if (!endpoint.draining || endpoint.active > 0) return;
    if (!known.delete(endpoint.key)) return;
    deps.onEndpointGone(endpoint);
    if (known.size === 0) deps.onEmpty(upstream);
  }

  function forgetEjection(endpoint: UpstreamEndpoint): void {
    endpoint.readmission?.cancel();
    endpoint.readmission = undefined;
    if (endpoint.outlier.ejected) ejected--;
    endpoint.outlier = newOutlierState();
  }

  function note(endpoint: UpstreamEndpoint, signal: OutlierSignal): void {
    if (endpoint.draining) return;
    const state = endpoint.outlier;
    const nowMs = clock.now();
    const others = { total: endpoints.length, ejected };
    const rules = outlierOptions(deps.policyOf(service), endpoint.labels, options.outlier);
    if (noteOutlierSignal(state, signal, nowMs, others, rules)) {
      takeOut(endpoint, signal, nowMs);
      refresh();
    }
    if (rules.successRateDeviations > 0 && nowMs - comparedAtMs >= rules.intervalMs) {
      compareSuccessRates(rules, nowMs);
    }
  }

  function takeOut(endpoint: UpstreamEndpoint, why: string, nowMs: number): void {
    ejected++;
    const forMs = Math.ceil(endpoint.outlier.ejectedUntilMs - nowMs);
    endpoint.readmission = clock.setTimer(forMs + 1, () => readmit(endpoint));
    logger.warn(
      { service: upstream.id, endpoint: endpoint.key, signal: why, forMs },
      'endpoint ejected from rotation',
    );
    deps.onEjected(upstream);
  }

  function compareSuccessRates(rules: OutlierOptions, nowMs: number): void {
    comparedAtMs = nowMs;
    const states = endpoints.map(({ outlier }) => outlier);
    const others = { total: endpoints.length, ejected };
    const out = new Set(ejectBySuccessRate(states, nowMs, others, rules));
    for (const endpoint of endpoints) {
      if (out.has(endpoint.outlier)) takeOut(endpoint, 'success-rate', nowMs);
    }
    if (out.size > 0) refresh();
  }

  function readmit(endpoint: UpstreamEndpoint): void {
    endpoint.readmission = undefined;
    if (!tryReadmit(endpoint.outlier, clock.now())) {
      const leftMs = Math.max(1, endpoint.outlier.ejectedUntilMs - clock.now());
      endpoint.readmission = clock.setTimer(leftMs, () => readmit(endpoint));
      return;
    }
    ejected--;
    endpoint.warmSinceMs = clock.now();
    warm();
    refresh();
  }

  const upstream: Upstream = {
    service,
    id: serviceId(service),
    get retryBudget() {
      return retryBudget;
    },
    active: 0,
    waiting: 0,
    get unused() {
      return (
        known.size === 0 && clusters.size === 0 && upstream.active === 0 && upstream.waiting === 0
      );
    },
    get endpoints() {
      return endpoints;
    },
    get known() {
      return known.values();
    },
    apply,
    cluster(ref) {
      const key = clusterKey(ref);
      let cluster = clusters.get(key);
      if (!cluster) {
        cluster = createCluster(upstream, {
          random: deps.random,
          clock,
          place: deps.place,
          settings: () => clusterSettings(ref, deps.policyOf(service)),
        });
        clusters.set(key, cluster);
      }
      return cluster;
    },
    retainClusters(used) {
      for (const [key, cluster] of clusters) if (!used.has(cluster)) clusters.delete(key);
    },
    note,
    endpointIdle: dropIfGone,
    dropIfUnused() {
      if (upstream.unused) deps.onEmpty(upstream);
    },
    refresh,
    close() {
      warming?.cancel();
      warming = undefined;
      for (const endpoint of known.values()) {
        endpoint.readmission?.cancel();
        endpoint.readmission = undefined;
        deps.onEndpointGone(endpoint);
      }
      known.clear();
      clusters.clear();
    },
  };
  return upstream;
}
