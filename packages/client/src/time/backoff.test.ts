import { seededRandom } from '@portolan/testing';
import { expect, test } from 'vitest';
import { backoffDelayMs, retryDelayMs } from './backoff.ts';

const options = { baseMs: 200, capMs: 10_000 };

test('the back-off stays between its floor and its cap', () => {
  const random = seededRandom(3);
  for (let failures = 0; failures < 60; failures++) {
    const delayMs = backoffDelayMs(failures, options, random);
    expect(delayMs).toBeGreaterThanOrEqual(50);
    expect(delayMs).toBeLessThanOrEqual(10_000);
  }
});

test('asked to wait, nobody comes earlier, and not all at the same moment', () => {
  const random = seededRandom(3);
  const delays = Array.from({ length: 200 }, () => retryDelayMs(0, options, random, 4_000));
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(4_000);
  expect(Math.max(...delays)).toBeLessThanOrEqual(6_000);
  expect(new Set(delays.map(Math.round)).size).toBeGreaterThan(150);
});
