import fc from 'fast-check';
import { Counter as PromCounter, Histogram as PromHistogram, Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { createMetrics } from './metrics.ts';

const BUCKETS = [0.001, 0.5, 1, 10];

it('counts as prom-client does', async () => {
  const count = fc.record({
    label: fc.constantFrom('a', 'b'),
    value: fc.oneof(fc.constantFrom(...BUCKETS), fc.double({ min: 0, max: 20, noNaN: true })),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(count, { maxLength: 60 }), fc.nat(60), async (counts, askedAt) => {
      const metrics = createMetrics({ maxChildren: 10, processMetrics: false });
      const registry = new Registry();
      const named = { help: 'help', labelNames: ['label'] };
      const counter = metrics.counter({ name: 'c_total', ...named });
      const histogram = metrics.histogram({ name: 'h', buckets: BUCKETS, ...named });
      const registers = [registry];
      const promCounter = new PromCounter({ name: 'c_total', ...named, registers });
      const promHistogram = new PromHistogram({ name: 'h', ...named, buckets: BUCKETS, registers });
      for (const [at, { label, value }] of counts.entries()) {
        counter.labels(label).inc();
        counter.labels(label).inc(value);
        histogram.labels(label).observe(value);
        promCounter.labels(label).inc();
        promCounter.labels(label).inc(value);
        promHistogram.labels(label).observe(value);
        // What was told before is not told twice.
        if (at === askedAt) await metrics.render();
      }
      const rounded = (text: string): string[] =>
        text
          .split('\n')
          .filter((line) => /^[ch]_?/.test(line))
          .map((line) => line.replace(/ ([\d.e+-]+)$/, (_, n) => ` ${Number(n).toPrecision(12)}`))
          .sort();
      expect(rounded(await metrics.render())).toEqual(rounded(await registry.metrics()));
      const snapshot = await metrics.snapshot();
      expect(snapshot.map(({ name, type }) => [name, String(type)])).toContainEqual([
        'h',
        'histogram',
      ]);
    }),
    { numRuns: 50 },
  );
});

it('refuses what no counter and no histogram can take', () => {
  const metrics = createMetrics({ maxChildren: 10, processMetrics: false });
  const counter = metrics.counter({ name: 'c_total', help: 'help' }).labels();
  const histogram = metrics.histogram({ name: 'h', help: 'help', buckets: [1] }).labels();
  expect(() => counter.inc(-1)).toThrow(RangeError);
  expect(() => counter.inc(Number.NaN)).toThrow(RangeError);
  expect(() => histogram.observe(Number.NaN)).toThrow(RangeError);
});
