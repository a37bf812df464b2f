import {
  DEFAULT_GROUP,
  type Instance,
  type InstanceRef,
  isRoutableStatus,
  parseIp,
  type Registry,
  type ServiceKey,
} from '@portolan/core';
import { nodeNameOf } from './reserved-labels.ts';

const GROUP_SEPARATOR = '@@';

/** The name under which Consul's readers know a service: outside the default group with the group before it. */
export function toServiceName({ group, name }: ServiceKey): string {
  return group === DEFAULT_GROUP ? name : `${group}${GROUP_SEPARATOR}${name}`;
}

/** The reverse. A name that holds the separator by itself is found as it is, once it is registered. */
export function toServiceKey(name: string, namespace: string, registry: Registry): ServiceKey {
  const plain = { namespace, group: DEFAULT_GROUP, name };
  const at = name.indexOf(GROUP_SEPARATOR);
  if (at <= 0 || (registry.view(plain)?.count ?? 0) > 0) return plain;
  return { namespace, group: name.slice(0, at), name: name.slice(at + GROUP_SEPARATOR.length) };
}

/*
 * In Consul an id is unique on its agent, and every host has an agent: many clients register the same id on each host.
 * Here ids are unique in a namespace. So an id that another node holds already is kept as `id@node`, and readers are
 * shown `id` on that node, as Consul shows it.
 */

/** The id that readers are shown. */
export function toShownId(instance: Instance): string {
  const suffix = `@${nodeNameOf(instance)}`;
  return instance.id.length > suffix.length && instance.id.endsWith(suffix)
    ? instance.id.slice(0, -suffix.length)
    : instance.id;
}

/** The instance that a client means by an id: on its own node if there is one of that id, else anywhere. */
export function findInstance(
  registry: Registry,
  namespace: string,
  id: string,
  node: string,
): Instance | undefined {
  return (
    registry.instance({ namespace, id: `${id}@${node}` }) ?? registry.instance({ namespace, id })
  );
}

/**
 * The id under which a registration is kept. Whoever registers its own address speaks for its own node: a healthy
 * instance of the same id elsewhere stays. Whoever registers another's address manages ids for all: it moves.
 */
export function placeId(
  registry: Registry,
  namespace: string,
  id: string,
  place: { readonly node: string; readonly address: string; readonly ownNode: boolean },
): InstanceRef {
  const plain: InstanceRef = { namespace, id };
  if (!place.ownNode) return plain;
  const own: InstanceRef = { namespace, id: `${id}@${place.node}` };
  if (registry.instance(own)) return own;
  const holder = registry.instance(plain);
  const isFree =
    holder === undefined ||
    nodeNameOf(holder) === place.node ||
    holder.address === place.address ||
    !(isRoutableStatus(holder.status) || holder.protected);
  return isFree ? plain : own;
}

/** The caller's address as a registration would hold it. */
export function callerAddress(remoteAddress: string): string {
  const ip = parseIp(remoteAddress);
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(remoteAddress)?.[1];
  return ip?.family === 6 && mapped !== undefined ? mapped : remoteAddress;
}
