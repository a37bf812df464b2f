export interface RetryBudgetOptions {
  /** Retries under way at once, as a share of the requests under way (0 to 1). */
  readonly share: number;
  /** Retries always allowed at once, however few requests are under way. */
  readonly minConcurrent: number;
}

/** Envoy's. */
export const DEFAULT_RETRY_BUDGET: RetryBudgetOptions = { share: 0.2, minConcurrent: 3 };

/** Bounds the load that retries add: when many requests fail, only a share of them is tried again. */
export interface RetryBudget {
  /** Takes a place for one retry while `activeRequests` are under way; false when there is none. */
  tryAcquire(activeRequests: number): boolean;
  /** Gives the place back when the retry ended. */
  release(): void;
  readonly retrying: number;
}

/** Makes a retry budget for one upstream. */
export function createRetryBudget(options: RetryBudgetOptions = DEFAULT_RETRY_BUDGET): RetryBudget {
  let retrying = 0;
  return {
    tryAcquire(activeRequests) {
      if (retrying >= Math.max(options.minConcurrent, Math.floor(activeRequests * options.share))) {
        return false;
      }
      retrying++;
      return true;
    },
    release() {
      if (retrying > 0) retrying--;
    },
    get retrying() {
      return retrying;
    },
  };
}
