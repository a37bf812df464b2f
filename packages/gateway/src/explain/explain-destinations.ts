import {
  type CatalogueReader,
  type ExplainedDestination,
  type ExplainedEndpoint,
  type ExplainedState,
  type Instance,
  isRoutableStatus,
  type Labels,
  matchesLabels,
  type StoredRoute,
  serviceId,
} from '@portolan/core';
import { requestLimit } from '../proxy/choose-endpoint.ts';
import { chooseForCaller } from '../routing/choose-destination.ts';
import type { CompiledDestination, CompiledRoute } from '../routing/compiled-route.ts';
import { endpointKey, type UpstreamEndpoint } from '../upstream/upstream-endpoint.ts';

interface EndpointRules {
  readonly catalogue: CatalogueReader;
  readonly maxRequestsPerEndpoint: number;
  mayDial(endpoint: UpstreamEndpoint): boolean;
}

/** The destinations of a route with their shares of requests like those of `caller`, and what is known of their endpoints. */
export function explainDestinations(
  route: CompiledRoute,
  caller: string | undefined,
  stored: StoredRoute | undefined,
  rules: EndpointRules,
): ExplainedDestination[] {
  const { destinations } = route;
  const kept = caller === undefined ? undefined : chooseForCaller(destinations, caller);
  const weightOf = (destination: CompiledDestination): number =>
    destination.cluster.hasEndpoints ? destination.weight : 0;
  const total = destinations.reduce((sum, destination) => sum + weightOf(destination), 0);
  return destinations.map((destination, at) => {
    const { upstream, cluster, weight } = destination;
    const told = stored?.destinations[at];
    const labels = { ...told?.subset, ...subsetLabels(told?.subsetName, destination, rules) };
    const drawn = total === 0 ? 0 : weightOf(destination) / total;
    return {
      service: upstream.service,
      labels,
      ...(told?.subsetName === undefined ? undefined : { subsetName: told.subsetName }),
      weight,
      share: caller === undefined ? drawn : destination === kept ? 1 : 0,
      balancer: cluster.balancer,
      panicking: cluster.panicking,
      endpoints: explainEndpoints(destination, labels, rules),
    };
  });
}

function subsetLabels(
  name: string | undefined,
  { upstream }: CompiledDestination,
  { catalogue }: EndpointRules,
): Labels | undefined {
  if (name === undefined) return undefined;
  const policy = catalogue.policies().find(({ service, namespace, group }) => {
    return serviceId({ name: service, namespace, group }) === upstream.id;
  });
  return policy?.subsets[name]?.labels;
}

function explainEndpoints(
  { upstream, cluster }: CompiledDestination,
  labels: Labels,
  rules: EndpointRules,
): ExplainedEndpoint[] {
  const given = new Set(cluster.endpoints);
  const left = new Map([...upstream.known].map((endpoint) => [endpoint.key, endpoint]));
  const total = cluster.endpoints.reduce((sum, { weight }) => sum + weight, 0);
  const limit = requestLimit(cluster, rules);
  const goesByWeight = cluster.balancer === 'weighted-round-robin' || cluster.balancer === 'random';

  const shareOf = (endpoint: UpstreamEndpoint | undefined): { share?: number } => {
    if (endpoint === undefined || !given.has(endpoint)) return { share: 0 };
    if (given.size === 1) return { share: 1 };
    return goesByWeight && total > 0 ? { share: endpoint.weight / total } : {};
  };
  const stateOf = (endpoint: UpstreamEndpoint): ExplainedState => {
    if (endpoint.draining) return 'draining';
    if (endpoint.ip === undefined) return 'unresolved';
    if (endpoint.outlier.ejected) return 'ejected';
    if (!given.has(endpoint)) return 'standby';
    if (!rules.mayDial(endpoint)) return 'forbidden';
    return endpoint.active < limit ? 'ready' : 'full';
  };

  const explained: ExplainedEndpoint[] = [];
  for (const instance of rules.catalogue.view(upstream.service)?.instances ?? []) {
    const endpoint = left.get(endpointKey(instance));
    left.delete(endpointKey(instance));
    if (!matchesLabels(instance.labels, labels)) continue;
    const { id, address, port, effectiveWeight: weight } = instance;
    const unroutable = !instance.routable || weight <= 0;
    explained.push({
      ...{ id, address, port, weight },
      state: endpoint ? stateOf(endpoint) : 'not-routable',
      ...(unroutable ? { reason: whyUnroutable(instance) } : undefined),
      active: endpoint?.active ?? 0,
      ...shareOf(endpoint),
    });
  }
  // Gone from the registry, and ending what they have.
  for (const endpoint of left.values()) {
    if (!matchesLabels(endpoint.labels, labels)) continue;
    const { id, address, port, weight, active } = endpoint;
    explained.push({ id, address, port, weight, state: stateOf(endpoint), active, share: 0 });
  }
  return explained;
}

function whyUnroutable(instance: Instance): string {
  const { intent, status, statusReason, effectiveWeight, exclusive } = instance;
  if (!intent.enabled) return 'disabled';
  if (intent.maintenance) return `in maintenance: ${intent.maintenance.reason}`;
  if (exclusive?.role === 'standby' && isRoutableStatus(status)) {
    return `standby of an exclusive service: ${exclusive.active ?? 'nobody'} is active, term ${exclusive.term}`;
  }
  if (status === 'passing' && effectiveWeight <= 0) return 'its weight is 0';
  return statusReason === '' ? status : `${status}: ${statusReason}`;
}
