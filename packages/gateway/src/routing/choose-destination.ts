import { hashText, mixHashes, type Random } from '@portolan/core';

/** What a choice by weight looks at. */
export interface WeightedDestination {
  /** Relative share; 0 takes nothing. */
  readonly weight: number;
  /** Hash of what the destination is, the same after every rebuild of the table. */
  readonly identityHash: number;
  readonly cluster: { readonly hasEndpoints: boolean };
}

/**
 * Chooses by weight among the destinations that have endpoints, so the share of one without any goes to the others
 * (Envoy would fail it). Weight 0 takes nothing, even when nothing else is left.
 */
export function chooseByWeight<D extends WeightedDestination>(
  destinations: readonly D[],
  random: Random,
): D | undefined {
  const only = destinations[0];
  if (destinations.length === 1) {
    return only && only.weight > 0 && only.cluster.hasEndpoints ? only : undefined;
  }
  let total = 0;
  for (const destination of destinations) {
    if (destination.cluster.hasEndpoints) total += destination.weight;
  }
  if (total === 0) return undefined;
  let mark = random() * total;
  for (const destination of destinations) {
    if (!destination.cluster.hasEndpoints) continue;
    mark -= destination.weight;
    if (mark < 0) return destination;
  }
  return undefined;
}

/**
 * Chooses as `chooseByWeight`, but the same for the same caller: weighted rendezvous hashing. Over many callers the shares are
 * the weights; when a weight grows, callers move to that destination only, and when one loses its endpoints, only its callers
 * move. (Schindelhauer, Schomaker: "Weighted distributed hash tables", the logarithmic method.)
 */
export function chooseForCaller<D extends WeightedDestination>(
  destinations: readonly D[],
  caller: string,
): D | undefined {
  const hash = hashText(caller);
  let best: D | undefined;
  let bestScore = 0;
  for (const destination of destinations) {
    if (destination.weight === 0 || !destination.cluster.hasEndpoints) continue;
    // In (0, 1), so that its logarithm is finite and not 0.
    const drawn = (mixHashes(hash, destination.identityHash) + 0.5) / 2 ** 32;
    const score = -destination.weight / Math.log(drawn);
    if (score > bestScore) {
      best = destination;
      bestScore = score;
    }
  }
  return best;
}
