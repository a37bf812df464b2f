import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { initialCheckHealth, reduceCheck } from './check-reducer.ts';

const answers = fc.array(fc.constantFrom('passing', 'warning', 'critical' as const), {
  maxLength: 60,
});
const thresholds = fc.record({
  rise: fc.integer({ min: 1, max: 5 }),
  fall: fc.integer({ min: 1, max: 5 }),
});

describe('the check reducer', () => {
  it('believes the first success of a check that was never probed', () => {
    const health = reduceCheck(initialCheckHealth(), 'passing', { rise: 3, fall: 3 });
    expect(health.status).toBe('passing');
  });

  it('turns critical exactly at the fall-th failure in a row and back at the rise-th success', () => {
    void fc.assert(
      fc.property(answers, thresholds, (sequence, limits) => {
        let health = initialCheckHealth('passing');
        let failures = 0;
        let successes = 0;
        for (const answer of sequence) {
          const before = health.status;
          health = reduceCheck(health, answer, limits);
          failures = answer === 'critical' ? failures + 1 : 0;
          successes = answer === 'critical' ? 0 : successes + 1;
          expect(health.consecutiveFailures).toBe(failures);
          expect(health.consecutiveSuccesses).toBe(successes);
          if (before !== 'critical')
            expect(health.status === 'critical').toBe(failures >= limits.fall);
          else expect(health.status !== 'critical').toBe(successes >= limits.rise);
        }
      }),
    );
  });

  it('never passes through unknown again', () => {
    void fc.assert(
      fc.property(answers, thresholds, (sequence, limits) => {
        let health = initialCheckHealth();
        let known = false;
        for (const answer of sequence) {
          health = reduceCheck(health, answer, limits);
          if (known) expect(health.status).not.toBe('unknown');
          known = health.status !== 'unknown';
        }
      }),
    );
  });
});
