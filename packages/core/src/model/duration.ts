const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const UNITS_DOWN = ['d', 'h', 'm', 's', 'ms'] as const;

/** Ten years: longer is a mistake in the unit. */
export const MAX_DURATION_MS = 3_653 * 86_400_000;

/** What `parseDuration` takes, in words for error messages. */
export const DURATION_EXPECTED =
  'a duration such as "10s", "1m30s" or "250ms", or seconds as a number';

/**
 * Whole milliseconds from `"10s"`, `"1m30s"`, `"1.5h"`, `"250ms"` (units d, h, m, s, ms, each at most once, largest
 * first) or from a number of seconds (also as digits in a string, as environment variables give it). Undefined for
 * anything else, for negative values and for more than ten years.
 */
export function parseDuration(value: unknown): number | undefined {
  if (typeof value === 'number') return bounded(value * 1_000);
  if (typeof value !== 'string' || value.length === 0 || value.length > 32) return undefined;
  if (/^\d+(\.\d+)?$/.test(value)) return bounded(Number(value) * 1_000);
  const part = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/y;
  let total = 0;
  let smallestSoFar = Number.POSITIVE_INFINITY;
  while (part.lastIndex < value.length) {
    const match = part.exec(value);
    const unitMs = UNIT_MS[match?.[2] ?? ''];
    if (!match || unitMs === undefined || unitMs >= smallestSoFar) return undefined;
    smallestSoFar = unitMs;
    total += Number(match[1]) * unitMs;
  }
  return bounded(total);
}

/** The shortest text that `parseDuration` reads back as the same milliseconds: `90000` is `"1m30s"`. */
export function formatDuration(durationMs: number): string {
  let rest = Math.max(0, Math.round(durationMs));
  if (rest === 0) return '0s';
  let text = '';
  for (const unit of UNITS_DOWN) {
    const unitMs = UNIT_MS[unit] ?? 1;
    const count = Math.floor(rest / unitMs);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * unitMs;
  }
  return text;
}

function bounded(durationMs: number): number | undefined {
  const whole = Math.round(durationMs);
  return whole >= 0 && whole <= MAX_DURATION_MS ? whole : undefined;
}
