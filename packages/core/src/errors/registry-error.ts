import { ERROR_TABLE, type ErrorCode, type ErrorRow } from './error-table.ts';

/** One thing that is wrong with an input. */
export interface Problem {
  /** JSON path from the root of the body, as `$.check.interval` or `$.items[3].port`. */
  readonly path: string;
  /** What was expected, in words. */
  readonly expected: string;
  /** What was found, shortened; never a secret. */
  readonly found?: string;
}

export interface RegistryErrorOptions {
  /** What happened, with the values concerned, and what to do. One or two sentences. */
  readonly detail: string;
  readonly problems?: readonly Problem[];
  readonly cause?: unknown;
  /** Milliseconds after which to try again. */
  readonly retryAfterMs?: number;
}

/** A fault of the caller or of the environment. Our own faults are plain errors. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  readonly code: ErrorCode;
  readonly problems: readonly Problem[];
  readonly retryAfterMs?: number;

  constructor(code: ErrorCode, options: RegistryErrorOptions) {
    super(options.detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.problems = options.problems ?? [];
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
  }

  get row(): ErrorRow {
    return ERROR_TABLE[this.code];
  }
}

export function isRegistryError(error: unknown): error is RegistryError {
  return error instanceof RegistryError;
}
