import type { ErrorCode, Problem } from '@portolan/core';

/** What can go wrong before a registry's own answer is there. */
export type ClientErrorCode =
  /** No registry could be reached, or none answered in time. */
  | 'REGISTRY_UNREACHABLE'
  /** Something answered that is not a Portolan registry: a proxy's page, a redirect, cut-off JSON. */
  | 'ANSWER_INVALID'
  /** The caller aborted, or closed the client. */
  | 'ABORTED';

export interface PortolanErrorOptions {
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  readonly problems?: readonly Problem[];
  readonly retryable?: boolean;
  readonly retryAfterMs?: number;
  readonly requestId?: string;
  readonly url?: string;
  readonly cause?: unknown;
}

/** A call that did not succeed: the registry's problem document, or why there was none. */
export class PortolanError extends Error {
  override readonly name = 'PortolanError';
  readonly code: ErrorCode | ClientErrorCode;
  readonly status: number;
  readonly problems: readonly Problem[];
  /** Whether the same call may succeed later without a change by the caller. */
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
  /** Under which the registry logged it. */
  readonly requestId?: string;
  readonly url?: string;

  constructor(
    code: ErrorCode | ClientErrorCode,
    message: string,
    { status, problems, retryable, retryAfterMs, requestId, url, cause }: PortolanErrorOptions,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.status = status;
    this.problems = problems ?? [];
    this.retryable = retryable ?? false;
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs;
    if (requestId !== undefined) this.requestId = requestId;
    if (url !== undefined) this.url = url;
  }
}

export function isPortolanError(error: unknown): error is PortolanError {
  return error instanceof PortolanError;
}
