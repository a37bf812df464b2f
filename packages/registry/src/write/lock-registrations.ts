import type { Registration } from '@portolan/core';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { refKey } from '../codec/keys.ts';
import type { KeyLock } from './key-lock.ts';
import { idLock, placeLock } from './lock-keys.ts';

/** Takes the names and places of all of them, and the names of those who hold these places and may be superseded. */
export async function lockRegistrations(
  registrations: readonly Pick<Registration, 'id' | 'service' | 'address' | 'port'>[],
  catalogue: Pick<Catalogue, 'occupant'>,
  lock: KeyLock,
): Promise<() => void> {
  const keys = new Set<string>();
  for (const registration of registrations) {
    const { id, service } = registration;
    keys.add(idLock(refKey({ namespace: service.namespace, id })));
    keys.add(placeLock(registration));
  }
  const addOccupants = (): void => {
    for (const { service, address, port } of registrations) {
      const holder = catalogue.occupant(service, address, port);
      if (holder !== undefined) keys.add(idLock(holder));
    }
  };
  addOccupants();
  for (;;) {
    const { size } = keys;
    const release = await lock.acquire([...keys]);
    addOccupants();
    if (keys.size === size) return release;
    // Somebody else came there while we waited.
    release();
  }
}
