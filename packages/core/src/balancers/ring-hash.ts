import type { Balancer, Endpoint, PickContext } from '../ports/balancer.ts';
import { hashText, mixHashes } from './hash-text.ts';

/** Places of the lightest endpoint; heavier ones have more, in proportion. */
const PLACES_EACH = 100;
/** However many endpoints and however uneven their weights. */
const MAX_PLACES = 100_000;

/**
 * Consistent hashing on a ring (Karger): the same hash finds the same endpoint, and when one comes or goes only its share moves.
 * The next one on the ring takes over for what was tried.
 */
export function createRingHash(): Balancer {
  let hashes = new Uint32Array(0);
  let owners: readonly Endpoint[] = [];

  return {
    update(endpoints) {
      const least = Math.min(...endpoints.map(({ weight }) => Math.max(1, weight)), 1e9);
      const total = endpoints.reduce((sum, { weight }) => sum + Math.max(1, weight), 0);
      const places = Math.min(PLACES_EACH, (MAX_PLACES * least) / Math.max(1, total));
      const ring: { hash: number; owner: Endpoint }[] = [];
      for (const owner of endpoints) {
        const name = hashText(`${owner.address} ${owner.port} ${owner.id}`);
        const count = Math.max(1, Math.round((places * Math.max(1, owner.weight)) / least));
        for (let at = 0; at < count; at++) ring.push({ hash: mixHashes(name, at), owner });
      }
      ring.sort((a, b) => a.hash - b.hash);
      hashes = Uint32Array.from(ring, ({ hash }) => hash);
      owners = ring.map(({ owner }) => owner);
    },
    pick({ hash, tried }: PickContext): Endpoint | undefined {
      if (owners.length === 0) return undefined;
      const mark = mixHashes(hash, 0x9e3779b9);
      let low = 0;
      let high = hashes.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((hashes[middle] as number) >= mark) high = middle;
        else low = middle + 1;
      }
      const found = owners[low % owners.length];
      if (tried.length === 0 || found === undefined || !tried.includes(found)) return found;
      for (let step = 1; step < owners.length; step++) {
        const candidate = owners[(low + step) % owners.length] as Endpoint;
        if (!tried.includes(candidate)) return candidate;
      }
      return found;
    },
  };
}
