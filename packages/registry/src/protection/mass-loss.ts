import type { ProtectionOptions } from '../options/registry-options.ts';

/** Mass-loss protection of one service. */
export type MassLossState =
  | { readonly mode: 'normal'; readonly losses: readonly Loss[] }
  | { readonly mode: 'protected'; readonly sinceMs: number; readonly lastChangeMs: number }
  | { readonly mode: 'evicting'; readonly sinceMs: number; readonly nextEvictionMs: number };

export interface Loss {
  readonly atMs: number;
  readonly count: number;
}

export const NO_LOSSES: MassLossState = { mode: 'normal', losses: [] };

/** Pace of eviction after a loss was believed. */
export const EVICTION_STEP_MS = 1_000;

export interface LossVerdict {
  readonly state: MassLossState;
  /** Whether the instances just lost are to be kept in rotation. */
  readonly keep: boolean;
}

/** `count` more instances were lost to expiry or probes; `healthy` were left before them. */
export function onLosses(
  state: MassLossState,
  loss: { readonly nowMs: number; readonly count: number; readonly healthy: number },
  options: ProtectionOptions,
): LossVerdict {
  if (!options.enabled) return { state: NO_LOSSES, keep: false };
  if (state.mode === 'protected')
    return { state: { ...state, lastChangeMs: loss.nowMs }, keep: true };
  if (state.mode === 'evicting') return { state, keep: true };
  const recent = state.losses.filter((past) => past.atMs > loss.nowMs - options.windowMs);
  const lostBefore = recent.reduce((sum, past) => sum + past.count, 0);
  const baseline = loss.healthy + lostBefore;
  const isMass =
    baseline >= options.minInstances && lostBefore + loss.count > baseline * options.maxLossShare;
  if (isMass) {
    const { nowMs } = loss;
    return { state: { mode: 'protected', sinceMs: nowMs, lastChangeMs: nowMs }, keep: true };
  }
  const losses = [...recent, { atMs: loss.nowMs, count: loss.count }];
  return { state: { mode: 'normal', losses }, keep: false };
}

/** Kept instances came back by themselves. */
export function onReturns(state: MassLossState, nowMs: number): MassLossState {
  return state.mode === 'protected' ? { ...state, lastChangeMs: nowMs } : state;
}

/** What time does: leaves when few are kept, believes a lasting loss, and paces its eviction. */
export function onTime(
  state: MassLossState,
  now: { readonly nowMs: number; readonly healthy: number; readonly kept: number },
  options: ProtectionOptions,
): { readonly state: MassLossState; readonly evict: number } {
  if (state.mode === 'normal') return { state, evict: 0 };
  if (now.kept === 0) return { state: NO_LOSSES, evict: 0 };
  let next = state;
  if (next.mode === 'protected') {
    const enoughReturned = now.kept <= (now.kept + now.healthy) * options.maxLossShare * 0.5;
    const isOld = now.nowMs - next.sinceMs >= options.maxDurationMs;
    const isSteady = now.healthy > 0 && now.nowMs - next.lastChangeMs >= options.steadyMs;
    if (!enoughReturned && !isOld && !isSteady) return { state, evict: 0 };
    next = { mode: 'evicting', sinceMs: next.sinceMs, nextEvictionMs: now.nowMs };
  }
  if (now.nowMs < next.nextEvictionMs) return { state: next, evict: 0 };
  const evict = Math.max(1, Math.ceil(now.kept * options.evictShare));
  return { state: { ...next, nextEvictionMs: now.nowMs + EVICTION_STEP_MS }, evict };
}
