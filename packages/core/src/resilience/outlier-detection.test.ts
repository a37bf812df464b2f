import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_OUTLIER_OPTIONS,
  ejectBySuccessRate,
  newOutlierState,
  noteOutlierSignal,
  type OutlierSignal,
  tryReadmit,
} from './outlier-detection.ts';

const options = DEFAULT_OUTLIER_OPTIONS;
const alone = { total: 2, ejected: 0 };

describe('outlier detection', () => {
  it('ejects at the first failed connect', () => {
    const state = newOutlierState();
    expect(noteOutlierSignal(state, 'connect-failure', 10, alone, options)).toBe(true);
    expect(state.ejected).toBe(true);
    expect(state.ejectedUntilMs).toBe(1_010);
  });

  it('ejects after five failed answers in a row, and a good one starts the count again', () => {
    const state = newOutlierState();
    for (let turn = 0; turn < 4; turn++) noteOutlierSignal(state, 'failure', 0, alone, options);
    noteOutlierSignal(state, 'success', 0, alone, options);
    for (let turn = 0; turn < 4; turn++) {
      expect(noteOutlierSignal(state, 'failure', 0, alone, options)).toBe(false);
    }
    expect(noteOutlierSignal(state, 'failure', 0, alone, options)).toBe(true);
  });

  it('keeps half of the endpoints in rotation however many give failed answers', () => {
    void fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.array(
          fc.record({
            at: fc.nat({ max: 8 }),
            signal: fc.constantFrom<OutlierSignal>('success', 'failure', 'failure', 'failure'),
            passMs: fc.nat({ max: 5_000 }),
          }),
          { maxLength: 200 },
        ),
        (total, steps) => {
          const states = Array.from({ length: total }, newOutlierState);
          let nowMs = 0;
          for (const step of steps) {
            nowMs += step.passMs;
            for (const state of states) tryReadmit(state, nowMs);
            const state = states[step.at % total];
            if (!state) continue;
            const ejected = states.filter((one) => one.ejected).length;
            noteOutlierSignal(state, step.signal, nowMs, { total, ejected }, options);
            const out = states.filter((one) => one.ejected).length;
            expect(out).toBeLessThanOrEqual(Math.max(1, Math.floor(total / 2)));
          }
        },
      ),
    );
  });

  it('stays out longer each time, up to the maximum, and always comes back', () => {
    const state = newOutlierState();
    let nowMs = 0;
    let last = 0;
    for (let turn = 0; turn < 400; turn++) {
      noteOutlierSignal(state, 'connect-timeout', nowMs, alone, options);
      const out = state.ejectedUntilMs - nowMs;
      expect(out).toBeGreaterThanOrEqual(last);
      expect(out).toBeLessThanOrEqual(options.maxEjectionMs);
      expect(tryReadmit(state, state.ejectedUntilMs - 1)).toBe(false);
      nowMs = state.ejectedUntilMs;
      expect(tryReadmit(state, nowMs)).toBe(true);
      last = out;
    }
    expect(last).toBe(options.maxEjectionMs);
  });

  it('looks for a process that refused connections every two seconds, however long it was away', () => {
    const state = newOutlierState();
    let nowMs = 0;
    for (let turn = 0; turn < 100; turn++) {
      noteOutlierSignal(state, 'connect-failure', nowMs, alone, options);
      expect(state.ejectedUntilMs - nowMs).toBeLessThanOrEqual(2_000);
      nowMs = state.ejectedUntilMs;
      tryReadmit(state, nowMs);
    }
  });

  it('takes an endpoint that lost five connections in a row out for a second, and longer each time', () => {
    const state = newOutlierState();
    const lose = (nowMs: number) => {
      for (let turn = 0; turn < 5; turn++)
        noteOutlierSignal(state, 'connection-lost', nowMs, alone, options);
    };
    lose(0);
    expect(state.ejectedUntilMs).toBe(1_000);
    tryReadmit(state, 1_000);
    lose(1_000);
    expect(state.ejectedUntilMs).toBe(3_000);
  });

  it('forgives with time spent in rotation', () => {
    const state = newOutlierState();
    for (let nowMs = 0; state.ejections < 5; nowMs = state.ejectedUntilMs) {
      tryReadmit(state, nowMs);
      noteOutlierSignal(state, 'connect-failure', nowMs, alone, options);
    }
    const returnedMs = state.ejectedUntilMs;
    tryReadmit(state, returnedMs);
    noteOutlierSignal(state, 'connect-failure', returnedMs + 3_000, alone, options);
    expect(state.ejections).toBe(3);
  });

  it('counts other answers of 5xx in a row only when told to', () => {
    const five = newOutlierState();
    for (let turn = 0; turn < 50; turn++) {
      expect(noteOutlierSignal(five, 'server-error', 0, alone, options)).toBe(false);
    }
    const strict = { ...options, consecutive5xx: 3 };
    const state = newOutlierState();
    noteOutlierSignal(state, 'server-error', 0, alone, strict);
    noteOutlierSignal(state, 'failure', 0, alone, strict);
    expect(noteOutlierSignal(state, 'server-error', 0, alone, strict)).toBe(true);
    expect(state.ejectedUntilMs).toBe(strict.baseEjectionMs);
  });

  describe('by success rate', () => {
    const rules = { ...options, successRateDeviations: 1.9, successRateRequests: 100 };
    const stateOf = (answers: number, good: number) => ({
      ...newOutlierState(),
      answers,
      goodAnswers: good,
    });
    const judge = (states: ReturnType<typeof stateOf>[], over: Partial<typeof rules> = {}) =>
      ejectBySuccessRate(states, 0, { total: states.length, ejected: 0 }, { ...rules, ...over });

    it('ejects the one that is far below the others, and begins a new interval', () => {
      const states = [99, 100, 98, 99, 100, 60].map((good) => stateOf(100, good));
      expect(judge(states)).toEqual([states[5]]);
      expect(states.map(({ answers }) => answers)).toEqual([0, 0, 0, 0, 0, 0]);
      expect(states[5]?.ejectedUntilMs).toBe(rules.baseEjectionMs);
    });

    it('ejects none when all are alike, however bad', () => {
      expect(judge(Array.from({ length: 6 }, () => stateOf(100, 10)))).toEqual([]);
    });

    it('compares only those with enough answers, and nothing among too few', () => {
      const few = [100, 100, 100, 100].map((good) => stateOf(100, good));
      expect(judge([...few, stateOf(99, 0)])).toEqual([]);
    });

    it('never takes out more than the share', () => {
      void fc.assert(
        fc.property(
          fc.array(fc.nat(200), { minLength: 5, maxLength: 30 }),
          fc.nat(10),
          (goods, ejected) => {
            const states = goods.map((good) => stateOf(200, good));
            const others = { total: states.length + ejected, ejected };
            const lax = { ...rules, successRateDeviations: 0.01 };
            const out = ejectBySuccessRate(states, 0, others, lax).length;
            const allowed = Math.max(1, Math.floor(others.total / 2));
            expect(out === 0 || out + ejected <= allowed).toBe(true);
          },
        ),
      );
    });
  });
});
