import type { Catalogue } from '../catalogue/catalogue.ts';
import type { KeyLock } from './key-lock.ts';
import { keyLock, type LockKey } from './lock-keys.ts';
import type { ValidItem } from './registration-plan.ts';

/** Takes the names and places of all of them, and the names of those who hold these places and may be superseded. No promise where nobody has to wait. */
export function lockRegistrations(
  items: readonly ValidItem[],
  catalogue: Pick<Catalogue, 'occupant'>,
  lock: KeyLock,
): (() => void) | Promise<() => void> {
  const keys = keysOf(items, catalogue);
  return lock.tryAcquire(keys) ?? waitFor(keys, items, catalogue, lock);
}

async function waitFor(
  busy: readonly LockKey[],
  items: readonly ValidItem[],
  catalogue: Pick<Catalogue, 'occupant'>,
  lock: KeyLock,
): Promise<() => void> {
  for (let keys = busy; ; ) {
    await lock.freed(keys);
    // Somebody else may have come to one of these places meanwhile.
    keys = keysOf(items, catalogue);
    const release = lock.tryAcquire(keys);
    if (release) return release;
  }
}

function keysOf(
  items: readonly ValidItem[],
  catalogue: Pick<Catalogue, 'occupant'>,
): readonly LockKey[] {
  findOccupants(items, catalogue);
  const keys: LockKey[] = [];
  for (const { key, place, occupant } of items) {
    keys.push(keyLock(key), place);
    if (occupant !== undefined && occupant !== key) keys.push(keyLock(occupant));
  }
  return keys;
}

/** Looks up who holds the places of the items now. */
export function findOccupants(
  items: readonly ValidItem[],
  catalogue: Pick<Catalogue, 'occupant'>,
): void {
  for (const item of items) {
    const { service, address, port } = item.registration;
    item.occupant = catalogue.occupant(service, address, port);
  }
}
