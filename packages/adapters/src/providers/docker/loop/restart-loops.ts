import type { Clock } from '@portolan/core';

export interface RestartLoopOptions {
  /** That many deaths within the window are a loop. */
  readonly deaths: number;
  readonly windowMs: number;
  /** It is believed again once it stayed up for this long. */
  readonly steadyMs: number;
}

export const DEFAULT_RESTART_LOOP: RestartLoopOptions = {
  deaths: 3,
  windowMs: 60_000,
  steadyMs: 10_000,
};

interface History {
  deaths: number[];
  upSinceMs: number | undefined;
}

/** Keeps containers that come up and die again and again from being registered each time. */
export class RestartLoops {
  readonly #options: RestartLoopOptions;
  readonly #clock: Clock;
  readonly #histories = new Map<string, History>();

  constructor(options: RestartLoopOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  died(id: string): void {
    const nowMs = this.#clock.now();
    const history = this.#histories.get(id) ?? { deaths: [], upSinceMs: undefined };
    const { deaths, windowMs } = this.#options;
    history.deaths = [...history.deaths.filter((at) => nowMs - at < windowMs), nowMs].slice(
      -deaths,
    );
    history.upSinceMs = undefined;
    this.#histories.set(id, history);
  }

  started(id: string): void {
    const history = this.#histories.get(id);
    if (history) history.upSinceMs = this.#clock.now();
  }

  forget(id: string): void {
    this.#histories.delete(id);
  }

  /** Those that are held back now, with the reason; and when to look again, if one of them may be let in by then. */
  held(): {
    readonly reasons: ReadonlyMap<string, string>;
    readonly againInMs: number | undefined;
  } {
    const { deaths, windowMs, steadyMs } = this.#options;
    const nowMs = this.#clock.now();
    const reasons = new Map<string, string>();
    let againInMs: number | undefined;
    for (const [id, history] of this.#histories) {
      const recent = history.deaths.filter((at) => nowMs - at < windowMs);
      if (recent.length < deaths) {
        if (recent.length === 0) this.#histories.delete(id);
        continue;
      }
      const upMs = history.upSinceMs === undefined ? 0 : nowMs - history.upSinceMs;
      if (upMs >= steadyMs) continue;
      reasons.set(
        id,
        `it died ${recent.length} times within ${Math.round(windowMs / 1_000)} s: it is registered once it stays up for ${Math.round(steadyMs / 1_000)} s`,
      );
      const waitMs = history.upSinceMs === undefined ? steadyMs : steadyMs - upMs;
      againInMs = Math.min(againInMs ?? waitMs, waitMs);
    }
    return { reasons, againInMs };
  }
}
