import type { Clock, Logger } from '@portolan/core';

export interface ShutdownOutcome {
  /** Parts that did not end in time and were left behind. */
  readonly unfinished: readonly string[];
}

/** What was started, to be closed in reverse order, each part with what is left of one common limit. */
export class ShutdownStack {
  readonly #parts: { readonly name: string; readonly close: () => Promise<void> | void }[] = [];
  readonly #clock: Clock;
  readonly #logger: Logger;

  constructor(deps: { readonly clock: Clock; readonly logger: Logger }) {
    this.#clock = deps.clock;
    this.#logger = deps.logger;
  }

  push(name: string, close: () => Promise<void> | void): void {
    this.#parts.push({ name, close });
  }

  /** Closes everything, also what stands behind a part that fails or takes too long. Never rejects. */
  async close(timeoutMs: number): Promise<ShutdownOutcome> {
    const deadlineMs = this.#clock.now() + timeoutMs;
    const unfinished: string[] = [];
    for (let part = this.#parts.pop(); part; part = this.#parts.pop()) {
      const { name } = part;
      try {
        // The last parts hold the data: they always get a moment, also when the others used up the time.
        const leftMs = Math.max(1_000, deadlineMs - this.#clock.now());
        if (!(await endsWithin(part.close(), leftMs, this.#clock))) {
          unfinished.push(name);
          this.#logger.warn({ part: name }, 'did not end in time and is left behind');
        }
      } catch (error) {
        this.#logger.error({ err: error, part: name }, 'failed to close');
      }
    }
    return { unfinished };
  }
}

/** Whether `work` settles before the time is over; a rejection is passed on. */
async function endsWithin(
  work: Promise<void> | void,
  timeoutMs: number,
  clock: Clock,
): Promise<boolean> {
  return await new Promise<boolean>((resolve, reject) => {
    const timer = clock.setTimer(timeoutMs, () => resolve(false));
    Promise.resolve(work).then(
      () => {
        timer.cancel();
        resolve(true);
      },
      (error: unknown) => {
        timer.cancel();
        reject(error);
      },
    );
  });
}
