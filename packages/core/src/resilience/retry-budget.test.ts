import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRetryBudget } from './retry-budget.ts';

describe('the retry budget', () => {
  it('never has more retries under way than the share of active requests or the minimum', () => {
    void fc.assert(
      fc.property(
        fc.array(fc.record({ acquire: fc.boolean(), active: fc.nat({ max: 500 }) })),
        (steps) => {
          const budget = createRetryBudget();
          for (const step of steps) {
            const before = budget.retrying;
            if (!step.acquire) {
              budget.release();
              expect(budget.retrying).toBe(Math.max(0, before - 1));
            } else {
              const allowed = before < Math.max(3, Math.floor(step.active * 0.2));
              expect(budget.tryAcquire(step.active)).toBe(allowed);
              expect(budget.retrying).toBe(allowed ? before + 1 : before);
            }
          }
        },
      ),
    );
  });

  it('allows the minimum when nothing else is under way', () => {
    const budget = createRetryBudget({ share: 0.2, minConcurrent: 3 });
    expect([1, 2, 3, 4].map(() => budget.tryAcquire(1))).toEqual([true, true, true, false]);
  });
});
