import type { InstanceRef, ServiceKey } from '@portolan/core';

/** What a store key speaks of. `key` is the part after the kind: `namespace/id`, `namespace/name`, … */
export interface StoreKey {
  readonly kind: StoreKeyKind;
  readonly key: string;
}

const KINDS = [
  'instance',
  'status',
  'intent',
  'protection',
  'route',
  'policy',
  'webhook',
  'namespace',
  'settings',
  // After all it speaks of, in the order of keys: a snapshot's term is restored when its instance is there.
  'term',
] as const;

export type StoreKeyKind = (typeof KINDS)[number];

/** The name of an instance inside the registry; ids hold no slash, so it is unambiguous. */
export function refKey(ref: InstanceRef): string {
  return `${ref.namespace}/${ref.id}`;
}

/** The reverse of `refKey`. */
export function fromRefKey(key: string): InstanceRef {
  const at = key.indexOf('/');
  return { namespace: key.slice(0, at), id: key.slice(at + 1) };
}

export function instanceKey(ref: string): string {
  return `instance/${ref}`;
}

export function statusKey(ref: string): string {
  return `status/${ref}`;
}

export function intentKey(ref: string): string {
  return `intent/${ref}`;
}

export function protectionKey(service: ServiceKey): string {
  return `protection/${service.namespace}/${service.group}/${service.name}`;
}

export function settingsKey(service: ServiceKey): string {
  return `settings/${service.namespace}/${service.group}/${service.name}`;
}

export function termKey(service: ServiceKey): string {
  return `term/${service.namespace}/${service.group}/${service.name}`;
}

export function namespaceKey(name: string): string {
  return `namespace/${name}`;
}

/** Undefined for a key of a kind this version does not know. */
export function parseStoreKey(key: string): StoreKey | undefined {
  const at = key.indexOf('/');
  const kind = KINDS.find((known) => known.length === at && key.startsWith(known));
  return kind && { kind, key: key.slice(at + 1) };
}
