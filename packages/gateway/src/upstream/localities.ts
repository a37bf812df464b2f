import type { LocalityPolicy } from '@portolan/core';
import type { UpstreamEndpoint } from './upstream-endpoint.ts';

/** Where a gateway is. */
export interface Place {
  readonly zone: string | undefined;
  readonly region: string | undefined;
}

/** Some endpoints equally near, and the share of the traffic that goes there. */
export interface LocalityLevel {
  readonly endpoints: readonly UpstreamEndpoint[];
  /** From 0 to 1; those of all levels together are 1. */
  readonly share: number;
}

/** A fifth of a zone may be gone before any of its traffic goes farther (Envoy's overprovisioning factor of 1.4). */
const DEFAULT_SPILL_BELOW = 0.7;

/**
 * Divides usable endpoints into levels by nearness: the own zone, the own region, the regions of `failover` in their order, all
 * others. A level takes all that is left to it while enough of its members are usable, and in proportion below that (Envoy's
 * priority levels). Without any own place or policy there is one level.
 */
export function localityLevels(
  members: readonly UpstreamEndpoint[],
  usable: readonly UpstreamEndpoint[],
  policy: LocalityPolicy | undefined,
  place: Place,
): readonly LocalityLevel[] {
  const local = policy?.preferLocal === true;
  const failover = policy?.failover ?? [];
  if (usable.length === 0 || (!local && failover.length === 0)) {
    return [{ endpoints: usable, share: 1 }];
  }
  const levelOf = ({ labels }: UpstreamEndpoint): number => {
    if (local && place.zone !== undefined && labels.zone === place.zone) return 0;
    if (local && place.region !== undefined && labels.region === place.region) return 1;
    const at = failover.indexOf(labels.region ?? '');
    return 2 + (at < 0 ? failover.length : at);
  };
  const counts = new Map<number, { members: number; usable: UpstreamEndpoint[] }>();
  const countOf = (level: number) => {
    const count = counts.get(level) ?? { members: 0, usable: [] };
    counts.set(level, count);
    return count;
  };
  for (const endpoint of members) countOf(levelOf(endpoint)).members++;
  for (const endpoint of usable) countOf(levelOf(endpoint)).usable.push(endpoint);
  const spillBelow = policy?.spillBelow ?? DEFAULT_SPILL_BELOW;
  let left = 1;
  const levels: { endpoints: readonly UpstreamEndpoint[]; share: number }[] = [];
  for (const [, count] of [...counts].sort(([a], [b]) => a - b)) {
    if (count.usable.length === 0) continue;
    const health = count.usable.length / count.members;
    const share = Math.min(left, spillBelow <= 0 ? 1 : health / spillBelow);
    if (share > 0) levels.push({ endpoints: count.usable, share });
    left -= share;
    if (left <= 1e-9) break;
  }
  const taken = levels.reduce((sum, level) => sum + level.share, 0);
  return levels.map((level) => ({ ...level, share: level.share / taken }));
}
