import { DEFAULT_GROUP, DEFAULT_NAMESPACE, type ServiceKey } from '@portolan/core';
import { placeHash } from '../catalogue/place-index.ts';
import { hashOn, hashText } from '../codec/hash-text.ts';

/** What a writer holds, by a hash of 30 bits: that two things are alike in it only makes one write wait for the other. */
export type LockKey = number;

const BITS = 0x3fff_ffff;

/** Held by whoever writes what is stored under this key; of an instance its `refKey`. */
export function keyLock(key: string): LockKey {
  return hashText(key) & BITS;
}

/** Held by whoever puts an instance there. */
export function placeLock({
  service: { namespace, group, name },
  address,
  port,
}: {
  readonly service: ServiceKey;
  readonly address: string;
  readonly port: number;
}): LockKey {
  let hash = hashOn(placeHash(address, port), name);
  if (group !== DEFAULT_GROUP) hash = hashOn(hash, group);
  if (namespace !== DEFAULT_NAMESPACE) hash = hashOn(hash, namespace);
  return hash & BITS;
}
