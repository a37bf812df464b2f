import type { InstanceRef, ServiceKey } from '@portolan/core';

/** What a store key speaks of. `key` is the `refKey` of an instance, else the part after the kind: `namespace/name`, … */
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

const REF_KIND = 'instance/';

/**
 * The name of an instance inside the registry, `instance/namespace/id`: the key its registration is stored under, so that a million
 * names are in memory once. Ids hold no slash, so it is unambiguous.
 */
export function refKey(ref: InstanceRef): string {
  return `${REF_KIND}${ref.namespace}/${ref.id}`;
}

/** Whether a store key is a `refKey`. */
export function isInstanceKey(key: string): boolean {
  return key.startsWith(REF_KIND);
}

/** Id of a `refKey`. */
export function idOf(key: string): string {
  return key.slice(key.indexOf('/', REF_KIND.length) + 1);
}

/** The reverse of `refKey`. */
export function fromRefKey(key: string): InstanceRef {
  const at = key.indexOf('/', REF_KIND.length);
  return { namespace: key.slice(REF_KIND.length, at), id: key.slice(at + 1) };
}

export function statusKey(key: string): string {
  return `status/${key.slice(REF_KIND.length)}`;
}

export function intentKey(key: string): string {
  return `intent/${key.slice(REF_KIND.length)}`;
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
  if (isInstanceKey(key)) return { kind: 'instance', key };
  const at = key.indexOf('/');
  const kind = KINDS.find((known) => known.length === at && key.startsWith(known));
  if (kind === undefined) return undefined;
  const rest = key.slice(at + 1);
  return { kind, key: kind === 'status' || kind === 'intent' ? `${REF_KIND}${rest}` : rest };
}
