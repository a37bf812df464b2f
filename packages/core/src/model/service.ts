/** Names a service. Two services are the same when all three parts are equal, case-sensitively. */
export interface ServiceKey {
  readonly namespace: string;
  readonly group: string;
  readonly name: string;
}

export const DEFAULT_NAMESPACE = 'default';
export const DEFAULT_GROUP = 'default';

/** A string that is equal for equal keys; the separator cannot occur in a valid name. */
export function serviceId(key: ServiceKey): string {
  return `${key.namespace}/${key.group}/${key.name}`;
}

/** The reverse of `serviceId`. Returns undefined for anything `serviceId` cannot have made. */
export function parseServiceId(id: string): ServiceKey | undefined {
  const [namespace, group, name, ...rest] = id.split('/');
  if (!namespace || !group || !name || rest.length > 0) return undefined;
  return { namespace, group, name };
}
