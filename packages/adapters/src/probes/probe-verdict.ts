import type { Clock, ProbeResult } from '@portolan/core';

/** What a probe found, before it is timed. */
export type ProbeVerdict = Omit<ProbeResult, 'durationMs'>;

const OUTPUT_LIMIT = 256;

/** The instance works. */
export function passing(output: string): ProbeVerdict {
  return { status: 'passing', output: toOutput(output) };
}

/** The instance works and asks for attention. */
export function warning(output: string): ProbeVerdict {
  return { status: 'warning', output: toOutput(output) };
}

/** The instance does not work. */
export function critical(output: string): ProbeVerdict {
  return { status: 'critical', output: toOutput(output) };
}

/** One line for people: without control characters, which could rewrite a terminal, and not longer than promised. */
function toOutput(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, ' ').trim();
  return line.length <= OUTPUT_LIMIT ? line : `${line.slice(0, OUTPUT_LIMIT - 1).trimEnd()}…`;
}

/** Asks, and says how long it took. */
export async function timed(
  clock: Clock,
  ask: () => ProbeVerdict | Promise<ProbeVerdict>,
): Promise<ProbeResult> {
  const startMs = clock.now();
  const verdict = await ask();
  return { ...verdict, durationMs: Math.max(0, Math.round(clock.now() - startMs)) };
}
