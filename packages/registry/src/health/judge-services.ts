import { serviceId } from '@portolan/core';
import type { InstanceRecord } from '../catalogue/instance-record.ts';
import type { ServiceState } from '../catalogue/service-state.ts';
import type { ProtectionOptions } from '../options/registry-options.ts';
import { onLosses, onReturns, onTime } from '../protection/mass-loss.ts';
import type { ServiceHealth } from './service-health.ts';
import { type HealthFacts, isLost } from './transition.ts';
import type { WorkSlices } from './work-slices.ts';

export interface ServiceVerdict {
  /** What to write, and whether a lost one is kept. */
  readonly keep: Map<string, boolean>;
  /** How many were kept by protection that began just now. */
  readonly entered: number;
}

/** The keys of instances by service; what is not in the catalogue is left out. */
export async function byService(
  keys: Iterable<string>,
  { catalogue }: Pick<HealthFacts, 'catalogue'>,
  slices: WorkSlices,
): Promise<Map<string, string[]>> {
  const groups = new Map<string, string[]>();
  for (const key of keys) {
    const pause = slices.did(1);
    if (pause) await pause;
    const record = catalogue.record(key);
    if (!record) continue;
    const id = serviceId(record.service);
    const group = groups.get(id);
    if (group) group.push(key);
    else groups.set(id, [key]);
  }
  return groups;
}

/** Judges what was found out about a service since the last turn as a whole. */
export function judgeService(
  health: ServiceHealth,
  service: ServiceState | undefined,
  records: readonly InstanceRecord[],
  facts: HealthFacts,
  options: ProtectionOptions,
  nowMs: number,
): ServiceVerdict {
  health.prune(nowMs - options.windowMs);
  const keep = new Map<string, boolean>();
  const fresh: InstanceRecord[] = [];
  // Judged before, but the store has not taken it yet.
  let undecided = 0;
  let returned = 0;
  for (const record of records) {
    const { key } = record;
    keep.set(key, record.protected || health.saved.has(key));
    if (!isLost(record, facts)) {
      if (record.protected) returned++;
      health.forget(key);
    } else if (record.isHealthy) {
      if (health.lost.has(key) || health.saved.has(key)) undecided++;
      else fresh.push(record);
    }
  }
  if (returned > 0) health.state = onReturns(health.state, nowMs);
  let entered = 0;
  const healthy = (service?.healthy ?? 0) - undecided;
  if (fresh.length > 0) {
    const losses = { nowMs, count: fresh.length, healthy, lostBefore: health.lost.size };
    const { state, keep: keepFresh } = onLosses(health.state, losses, options);
    const begins = state.mode === 'protected' && health.state.mode !== 'protected';
    health.state = state;
    if (options.enabled && !keepFresh) {
      for (const record of fresh) health.lost.set(record.key, { atMs: nowMs, record });
    }
    for (const record of fresh) keep.set(record.key, keepFresh);
    if (begins) {
      health.saveLost();
      entered = fresh.length + health.saved.size;
    }
    if (keepFresh) for (const record of fresh) health.saved.set(record.key, record);
  }
  for (const key of health.saved.keys()) if (facts.catalogue.record(key)) keep.set(key, true);
  evict(health, service, keep, healthy - fresh.length, options, nowMs);
  return { keep, entered };
}

function evict(
  health: ServiceHealth,
  service: ServiceState | undefined,
  keep: Map<string, boolean>,
  healthy: number,
  options: ProtectionOptions,
  nowMs: number,
): void {
  if (health.state.mode === 'normal') return;
  const kept = (service?.protected ?? 0) + health.saved.size;
  const { state, evict: count } = onTime(health.state, { nowMs, healthy, kept }, options);
  health.state = state;
  let left = count;
  for (const record of service?.view.records ?? []) {
    if (left === 0) return;
    if (!record.protected) continue;
    keep.set(record.key, false);
    left--;
  }
}
