import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LatencyHistogram } from './latency-histogram.ts';

test('percentiles are those of the sorted values, to two percent', () => {
  const latency = fc.oneof(
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.double({ min: 0, max: 100_000, noNaN: true }),
  );
  fc.assert(
    fc.property(
      fc.array(latency, { minLength: 1, maxLength: 200 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (values, share) => {
        const histogram = new LatencyHistogram();
        for (const value of values) histogram.record(value);
        const sorted = [...values].sort((a, b) => a - b);
        const exact = sorted[Math.max(1, Math.ceil(values.length * share)) - 1] ?? 0;
        const told = histogram.percentileMs(share);
        expect(Math.abs(told - exact)).toBeLessThanOrEqual(0.02 * exact + 0.001);
        expect(histogram.maxMs).toBe(sorted.at(-1));
      },
    ),
  );
});

test('without values there is no percentile', () => {
  expect(new LatencyHistogram().percentileMs(0.5)).toBeNaN();
});
