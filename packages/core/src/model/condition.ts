/**
 * What the one who keeps an instance registered knows of it besides its checks. `starting` and `unhealthy` count like a
 * check that waits or fails, so mass-loss protection weighs them; `paused` and `draining` are somebody's will: no new
 * request at once, whatever checks say and however many go at the same time.
 */
export interface Condition {
  readonly state: (typeof CONDITION_STATES)[number];
  /** In a few words for people. */
  readonly reason: string;
}

export const CONDITION_STATES = ['starting', 'unhealthy', 'paused', 'draining'] as const;

/** Whether it leaves the rotation because somebody wants it to. */
export function isWithdrawn(condition: Condition | undefined): boolean {
  return condition?.state === 'paused' || condition?.state === 'draining';
}
