import { DEFAULT_GROUP, type Instance, type Registry, type ServiceKey } from '@portolan/core';
import { EUREKA_LABELS } from '../labels/dialect-labels.ts';

const GROUP_MARK = '@@';

/** Eureka's name of a service: upper case, and with its group in front unless that is the default one. */
export function toAppName(service: ServiceKey): string {
  const { group, name } = service;
  return (group === DEFAULT_GROUP ? name : `${group}${GROUP_MARK}${name}`).toUpperCase();
}

/**
 * The service that an app is: one that is there under that name in whatever case, else the lower-case one. A client that
 * says `ORDERS` so joins the instances that others registered as `Orders`.
 */
export function toServiceKey(registry: Registry, namespace: string, app: string): ServiceKey {
  const lower = app.toLowerCase();
  const at = lower.indexOf(GROUP_MARK);
  const key: ServiceKey =
    at > 0
      ? { namespace, group: lower.slice(0, at), name: lower.slice(at + GROUP_MARK.length) }
      : { namespace, group: DEFAULT_GROUP, name: lower };
  if (registry.view(key)) return key;
  const wanted = app.toUpperCase();
  for (const { service } of registry.services(namespace)) {
    if (toAppName(service) === wanted) return service;
  }
  return key;
}

/** The id under which Eureka's clients know the instance. */
export function eurekaIdOf(instance: Instance): string {
  return instance.metadata[EUREKA_LABELS.instanceId] ?? instance.id;
}

/**
 * Eureka's ids are unique within an app, ours within a namespace: an id that an instance of another app has already (a host
 * name, often) gets its service in front.
 */
export function qualifiedId(service: ServiceKey, instanceId: string): string {
  const { group, name } = service;
  return `${group === DEFAULT_GROUP ? '' : `${group}${GROUP_MARK}`}${name}:${instanceId}`;
}

/** The instance of an app that a client means. */
export function findInstance(
  registry: Registry,
  namespace: string,
  app: string,
  instanceId: string,
): Instance | undefined {
  const wanted = app.toUpperCase();
  const direct = registry.instance({ namespace, id: instanceId });
  if (direct && toAppName(direct.service) === wanted) return direct;
  const service = toServiceKey(registry, namespace, app);
  const id = qualifiedId(service, instanceId);
  const qualified = registry.instance({ namespace, id });
  return qualified && eurekaIdOf(qualified) === instanceId ? qualified : undefined;
}

/** The instance that has this id in whatever app. */
export function findInstanceAnywhere(
  registry: Registry,
  namespace: string,
  instanceId: string,
): Instance | undefined {
  const direct = registry.instance({ namespace, id: instanceId });
  if (direct) return direct;
  for (const { service } of registry.services(namespace)) {
    const found = registry.instance({ namespace, id: qualifiedId(service, instanceId) });
    if (found && eurekaIdOf(found) === instanceId) return found;
  }
  return undefined;
}
