import { describe, expect, it } from 'vitest';
import { DEFAULT_REGISTRY_OPTIONS } from '../options/registry-options.ts';
import { type MassLossState, NORMAL, onLosses, onReturns, onTime } from './mass-loss.ts';

const OPTIONS = DEFAULT_REGISTRY_OPTIONS.protection;
const PROTECTED: MassLossState = { mode: 'protected', sinceMs: 0, lastChangeMs: 0 };

describe('mass-loss protection', () => {
  it('lets half of a service go and keeps it from one more on', () => {
    const half = { nowMs: 0, count: 5, healthy: 10, lostBefore: 0 };
    expect(onLosses(NORMAL, half, OPTIONS)).toEqual({ state: NORMAL, keep: false });
    const more = { nowMs: 0, count: 1, healthy: 5, lostBefore: 5 };
    expect(onLosses(NORMAL, more, OPTIONS)).toMatchObject({
      state: { mode: 'protected' },
      keep: true,
    });
  });

  it('never keeps a service of fewer instances than the minimum, and nothing when switched off', () => {
    const small = { nowMs: 0, count: 3, healthy: 3, lostBefore: 0 };
    expect(onLosses(NORMAL, small, OPTIONS).keep).toBe(false);
    const all = { nowMs: 0, count: 10, healthy: 10, lostBefore: 0 };
    expect(onLosses(NORMAL, all, { ...OPTIONS, enabled: false }).keep).toBe(false);
  });

  it('waits while nothing is steady, and believes the loss after the longest time', () => {
    const early = { nowMs: OPTIONS.maxDurationMs - 1, healthy: 0, kept: 10 };
    expect(onTime(PROTECTED, early, OPTIONS)).toEqual({ state: PROTECTED, evict: 0 });
    const late = { nowMs: OPTIONS.maxDurationMs, healthy: 0, kept: 10 };
    expect(onTime(PROTECTED, late, OPTIONS)).toMatchObject({
      state: { mode: 'evicting' },
      evict: 1,
    });
  });

  it('counts the steady time anew from every return', () => {
    const returned = onReturns(PROTECTED, 100_000);
    const now = { nowMs: OPTIONS.steadyMs, healthy: 2, kept: 8 };
    expect(onTime(returned, now, OPTIONS).evict).toBe(0);
    expect(onTime(PROTECTED, now, OPTIONS).evict).toBe(1);
  });

  it('evicts step by step, and begins again when a second mass loss comes meanwhile', () => {
    const evicting: MassLossState = { mode: 'evicting', sinceMs: 0, nextEvictionMs: 1_000 };
    expect(onTime(evicting, { nowMs: 999, healthy: 5, kept: 30 }, OPTIONS).evict).toBe(0);
    expect(onTime(evicting, { nowMs: 1_000, healthy: 5, kept: 30 }, OPTIONS).evict).toBe(3);
    const second = { nowMs: 1_000, count: 5, healthy: 5, lostBefore: 0 };
    expect(onLosses(evicting, second, OPTIONS).state.mode).toBe('protected');
  });

  it('gives up what is kept when it is switched off, step by step, and keeps nothing more', () => {
    const off = { ...OPTIONS, enabled: false };
    const now = { nowMs: 1_000, healthy: 2, kept: 30 };
    expect(onTime(PROTECTED, now, off)).toMatchObject({ state: { mode: 'evicting' }, evict: 3 });
    const more = { nowMs: 1_000, count: 2, healthy: 2, lostBefore: 0 };
    expect(onLosses(PROTECTED, more, off)).toEqual({ state: PROTECTED, keep: false });
  });

  it('leaves when nobody is kept any more', () => {
    const now = { nowMs: 1, healthy: 5, kept: 0 };
    expect(onTime(PROTECTED, now, OPTIONS).state).toEqual(NORMAL);
  });
});
