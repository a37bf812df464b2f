import type { Instance, ServiceView } from '@portolan/core';
import type { ConsulContext } from '../consul-context.ts';
import { nodeMetaOf, nodeNameOf } from '../reserved-labels.ts';

/** Every view of a namespace as of now, in the order of names: whatever is made of them belongs to one revision. */
export function presentViews(context: ConsulContext, namespace: string): readonly ServiceView[] {
  return context.registry
    .services(namespace)
    .map(({ service }) => service)
    .sort((a, b) => compare(a.name, b.name) || compare(a.group, b.group))
    .flatMap((service) => context.registry.view(service) ?? []);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Whether the instance's node carries all of these. */
export function hasNodeMeta(
  instance: Instance,
  wanted: readonly (readonly [string, string])[],
): boolean {
  if (wanted.length === 0) return true;
  const meta = nodeMetaOf(instance);
  return wanted.every(([key, value]) => Object.hasOwn(meta, key) && meta[key] === value);
}

/** Consul compares tags without case. */
export function hasTags(instance: Instance, wanted: readonly string[]): boolean {
  return wanted.every((tag) =>
    instance.tags.some((own) => own.toLowerCase() === tag.toLowerCase()),
  );
}

/**
 * What is near a node first: on it, then in its zone, then in its region. There are no round-trip times here to sort
 * by. A node that nobody knows leaves the order as it is.
 */
export function sortedByNearness(
  instances: readonly Instance[],
  near: string,
  origin: Instance | undefined,
): readonly Instance[] {
  const zone = origin?.labels.zone;
  const region = origin?.labels.region;
  const distance = (instance: Instance): number => {
    if (nodeNameOf(instance) === near) return 0;
    const isSameRegion = region === undefined || instance.labels.region === region;
    if (zone !== undefined && instance.labels.zone === zone && isSameRegion) return 1;
    return region !== undefined && instance.labels.region === region ? 2 : 3;
  };
  return instances.toSorted((a, b) => distance(a) - distance(b));
}

/** As many instances are looked at before others get their turn. */
const SLICE_INSTANCES = 2_000;

/** Looks at every instance of the views, in slices; `visit` ends it by giving true. */
export async function scanInstances(
  { turn }: Pick<ConsulContext, 'turn'>,
  views: readonly ServiceView[],
  visit: (instance: Instance, view: ServiceView) => boolean | undefined,
): Promise<void> {
  let looked = 0;
  for (const view of views) {
    for (const instance of view.instances) {
      if (visit(instance, view)) return;
      looked++;
      if (looked % SLICE_INSTANCES === 0) await turn();
    }
  }
}

/** Some instance on a node, which tells where the node is. */
export async function someInstanceOn(
  context: ConsulContext,
  namespace: string,
  node: string,
): Promise<Instance | undefined> {
  let found: Instance | undefined;
  await scanInstances(context, presentViews(context, namespace), (instance) => {
    if (nodeNameOf(instance) !== node) return false;
    found = instance;
    return true;
  });
  return found;
}

/** Every instance on a node. */
export async function instancesOn(
  context: ConsulContext,
  namespace: string,
  node: string,
): Promise<readonly Instance[]> {
  const found: Instance[] = [];
  await scanInstances(context, presentViews(context, namespace), (instance) => {
    if (nodeNameOf(instance) === node) found.push(instance);
    return false;
  });
  return found;
}
