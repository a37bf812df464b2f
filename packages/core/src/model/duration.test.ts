import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, MAX_DURATION_MS, parseDuration } from './duration.ts';

describe('parseDuration', () => {
  it.each([
    ['10s', 10_000],
    ['1m30s', 90_000],
    ['250ms', 250],
    ['1.5h', 5_400_000],
    ['1d2h3m4s5ms', 93_784_005],
    ['1m0s', 60_000],
    ['0s', 0],
    ['30', 30_000],
    [30, 30_000],
    [0.25, 250],
  ])('reads %j as %d ms', (text, expected) => {
    expect(parseDuration(text)).toBe(expected);
  });

  it.each([
    '',
    's',
    '-1s',
    '1s1m',
    '1s2s',
    '10 s',
    ' 10s',
    '10S',
    '1e3s',
    '.5s',
    '10x',
    '4000d',
    '9'.repeat(40),
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    null,
    {},
    [],
    true,
  ])('refuses %j', (value) => {
    expect(parseDuration(value)).toBeUndefined();
  });

  it('reads back whatever formatDuration writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: MAX_DURATION_MS }), (durationMs) => {
        expect(parseDuration(formatDuration(durationMs))).toBe(durationMs);
      }),
    );
  });
});
