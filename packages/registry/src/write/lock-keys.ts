import { DEFAULT_GROUP, DEFAULT_NAMESPACE, type ServiceKey } from '@portolan/core';
import { placeHash } from '../catalogue/place-index.ts';
import { hashOn } from '../codec/hash-text.ts';

/** What a writer holds: names by their text, places by a hash. That two of these are alike only makes one wait for the other. */
export type LockKey = string | number;

/** Held by whoever writes the instance of this `refKey`. */
export function idLock(key: string): LockKey {
  return key;
}

/** Held by whoever puts an instance there. 30 bits. */
export function placeLock({
  service: { namespace, group, name },
  address,
  port,
}: {
  readonly service: ServiceKey;
  readonly address: string;
  readonly port: number;
}): number {
  let hash = hashOn(placeHash(address, port), name);
  if (group !== DEFAULT_GROUP) hash = hashOn(hash, group);
  if (namespace !== DEFAULT_NAMESPACE) hash = hashOn(hash, namespace);
  return hash & 0x3fff_ffff;
}
