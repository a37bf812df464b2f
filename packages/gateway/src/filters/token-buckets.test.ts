import { TurnableClock } from '@portolan/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TokenBuckets } from './token-buckets.ts';

describe('token buckets', () => {
  it('never let through more than burst and rate together, and never less to who keeps to the rate', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 10_000 }),
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.nat({ max: 2_000 }), { maxLength: 100 }),
        async (requests, periodMs, burst, pauses) => {
          const clock = new TurnableClock();
          const buckets = new TokenBuckets({ requests, periodMs, burst }, clock);
          let passed = 0;
          let elapsedMs = 0;
          for (const pause of pauses) {
            await clock.advance(pause);
            elapsedMs += pause;
            if (buckets.take('k').allowed) passed++;
          }
          expect(passed).toBeLessThanOrEqual(burst + (elapsedMs * requests) / periodMs + 1e-6);
        },
      ),
    );
    const clock = new TurnableClock();
    const buckets = new TokenBuckets({ requests: 3, periodMs: 1_000, burst: 1 }, clock);
    for (let at = 0; at < 50; at++) {
      expect(buckets.take('k').allowed).toBe(true);
      await clock.advance(334);
    }
  });

  it('say how long to wait, and after that there is a token', async () => {
    const clock = new TurnableClock();
    const buckets = new TokenBuckets({ requests: 4, periodMs: 1_000, burst: 2 }, clock);
    expect([buckets.take('k').left, buckets.take('k').left]).toEqual([1, 0]);
    const refused = buckets.take('k');
    expect(refused).toEqual({ allowed: false, left: 0, waitMs: 250 });
    await clock.advance(refused.waitMs);
    expect(buckets.take('k').allowed).toBe(true);
    expect(buckets.take('other').allowed).toBe(true);
  });

  it('stay bounded however many keys come, and keep those in use', () => {
    const clock = new TurnableClock();
    const buckets = new TokenBuckets({ requests: 1, periodMs: 1e9, burst: 1 }, clock);
    expect(buckets.take('busy').allowed).toBe(true);
    for (let at = 0; at < 30_000; at++) {
      buckets.take(`k${at}`);
      if (at % 1_000 === 0) expect(buckets.take('busy').allowed).toBe(false);
    }
  });
});
