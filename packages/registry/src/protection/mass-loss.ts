import type { ProtectionOptions } from '../options/registry-options.ts';

/** Mass-loss protection of one service. */
export type MassLossState =
  | { readonly mode: 'normal' }
  | { readonly mode: 'protected'; readonly sinceMs: number; readonly lastChangeMs: number }
  | { readonly mode: 'evicting'; readonly sinceMs: number; readonly nextEvictionMs: number };

export const NORMAL: MassLossState = { mode: 'normal' };

/** Pace of eviction after a loss was believed. */
export const EVICTION_STEP_MS = 1_000;

export interface Losses {
  readonly nowMs: number;
  /** Lost just now, to expiry or probes. */
  readonly count: number;
  /** Healthy before that. */
  readonly healthy: number;
  /** Lost within the window before, and not back. */
  readonly lostBefore: number;
}

export interface LossVerdict {
  readonly state: MassLossState;
  /** Whether the instances just lost are to be kept in rotation. */
  readonly keep: boolean;
}

/** Judges what was lost just now together with what was lost within the window. */
export function onLosses(
  state: MassLossState,
  { nowMs, count, healthy, lostBefore }: Losses,
  options: ProtectionOptions,
): LossVerdict {
  // What is kept already is given up by and by.
  if (!options.enabled) return { state, keep: false };
  if (state.mode === 'protected') return { state: { ...state, lastChangeMs: nowMs }, keep: true };
  const baseline = healthy + lostBefore;
  const isMass =
    baseline >= options.minInstances && lostBefore + count > baseline * options.maxLossShare;
  // A second mass loss while the first is evicted is a new one, and begins again.
  if (isMass) {
    return { state: { mode: 'protected', sinceMs: nowMs, lastChangeMs: nowMs }, keep: true };
  }
  return { state, keep: state.mode === 'evicting' };
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
  if (now.kept === 0) return { state: NORMAL, evict: 0 };
  let next = state;
  if (next.mode === 'protected') {
    const enoughReturned = now.kept <= (now.kept + now.healthy) * options.maxLossShare * 0.5;
    const isOld = now.nowMs - next.sinceMs >= options.maxDurationMs;
    const isSteady = now.healthy > 0 && now.nowMs - next.lastChangeMs >= options.steadyMs;
    const isBelieved = !options.enabled || enoughReturned || isOld || isSteady;
    if (!isBelieved) return { state, evict: 0 };
    next = { mode: 'evicting', sinceMs: next.sinceMs, nextEvictionMs: now.nowMs };
  }
  if (now.nowMs < next.nextEvictionMs) return { state: next, evict: 0 };
  const evict = Math.max(1, Math.ceil(now.kept * options.evictShare));
  return { state: { ...next, nextEvictionMs: now.nowMs + EVICTION_STEP_MS }, evict };
}
