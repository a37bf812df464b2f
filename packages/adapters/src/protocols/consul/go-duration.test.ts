import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formatGoDuration, parseGoBool, parseGoDuration } from './go-duration.ts';

it.each([
  ['10s', 10_000],
  ['1h30m', 5_400_000],
  ['250ms', 250],
  ['1.5h', 5_400_000],
  ['.5s', 500],
  ['60000ms', 60_000],
  ['1m1m', 120_000],
  ['0', 0],
  ['-2s', -2_000],
  ['1us', 0.001],
])('%s is %s milliseconds', (text, durationMs) => {
  expect(parseGoDuration(text)).toBeCloseTo(durationMs, 9);
});

it.each(['', '10', 's', '1d', '10 s', '1e3s', '+', 'ten', '1s!', '99999999999h'])(
  '"%s" is no duration',
  (text) => {
    expect(parseGoDuration(text)).toBeUndefined();
  },
);

it.each([
  [0, '0s'],
  [250, '250ms'],
  [10_000, '10s'],
  [90_000, '1m30s'],
  [3_600_000, '1h0m0s'],
  [1_500, '1.5s'],
])('%s milliseconds are %s', (durationMs, text) => {
  expect(formatGoDuration(durationMs)).toBe(text);
});

it('what is printed reads back', () => {
  fc.assert(
    fc.property(fc.nat(1_000_000_000), (durationMs) => {
      expect(parseGoDuration(formatGoDuration(durationMs))).toBeCloseTo(durationMs, 3);
    }),
  );
});

it('flags are those of Go', () => {
  expect(['1', 't', 'True', '0', 'F', 'false', 'yes', ''].map(parseGoBool)).toEqual([
    ...[true, true, true, false, false, false],
    ...[undefined, undefined],
  ]);
});
