import { MAX_DURATION_MS } from '@portolan/core';

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * Milliseconds from Go's text of a duration (`"10s"`, `"1h30m"`, `"250ms"`, `"-1s"`); undefined for anything else, also
 * for a number without a unit, as in Go.
 */
export function parseGoDuration(text: string): number | undefined {
  if (text.length > 64) return undefined;
  const [, sign, rest = ''] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (rest === '0') return 0;
  const part = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;
  let totalMs = 0;
  do {
    const match = part.exec(rest);
    if (!match) return undefined;
    totalMs += Number(match[1]) * (UNIT_MS[match[2] ?? ''] ?? 0);
  } while (part.lastIndex < rest.length);
  if (totalMs > MAX_DURATION_MS) return undefined;
  return sign === '-' ? -totalMs : totalMs;
}

/** As Go prints a duration: `10s`, `1m30s`, `1h0m0s`, `250ms`. */
export function formatGoDuration(durationMs: number): string {
  if (durationMs === 0) return '0s';
  if (durationMs < 1_000) return `${durationMs}ms`;
  const hours = Math.floor(durationMs / 3_600_000);
  const minutes = Math.floor(durationMs / 60_000) % 60;
  const seconds = `${(durationMs % 60_000) / 1_000}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}

/** Go's `strconv.ParseBool`; undefined for anything else. */
export function parseGoBool(text: string): boolean | undefined {
  if (/^(?:1|t|T|TRUE|true|True)$/.test(text)) return true;
  return /^(?:0|f|F|FALSE|false|False)$/.test(text) ? false : undefined;
}
