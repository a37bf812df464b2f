import {
  type ControlReply,
  ERROR_TABLE,
  type ErrorCode,
  isRegistryError,
  type Problem,
} from '@portolan/core';

/** An RFC 9457 problem document. */
export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  /** The request's id, under which our logs speak of it. */
  readonly instance: string;
  readonly retryable: boolean;
  readonly errors: readonly Problem[];
}

/** The document for whatever was thrown. Nothing of a fault of our own is told but its code. */
export function toProblemDocument(error: unknown, requestId: string): ProblemDocument {
  const code: ErrorCode = isRegistryError(error) ? error.code : 'INTERNAL';
  const row = ERROR_TABLE[code];
  return {
    type: `urn:portolan:error:${code}`,
    title: row.title,
    status: row.http,
    detail: isRegistryError(error)
      ? error.message
      : `Something failed that should not have. The log has it under the request id ${requestId}.`,
    code,
    instance: requestId,
    retryable: row.retryable,
    errors: isRegistryError(error) ? error.problems : [],
  };
}

/** The reply for whatever was thrown; who called the handler logs it. */
export function toProblemReply(
  error: unknown,
  requestId: string,
  headers: Readonly<Record<string, string>> = {},
): ControlReply {
  const problem = toProblemDocument(error, requestId);
  const retryAfterMs = isRegistryError(error) ? error.retryAfterMs : undefined;
  return {
    status: problem.status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      // RFC 9110 §10.2.3: whole seconds, never less than asked for.
      ...(retryAfterMs === undefined
        ? undefined
        : { 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) }),
      ...headers,
    },
    body: JSON.stringify(problem),
  };
}
