import type { BackoffOptions, RetryCondition, RetryPolicy } from '@portolan/core';

/** A retry policy ready to be asked. */
export interface RetryRule {
  /** Tries after the first one. */
  readonly attempts: number;
  readonly perTryTimeoutMs: number | undefined;
  readonly anyMethod: boolean;
  /** Waited before every retry; absent: only before an endpoint is tried that failed before. */
  readonly backoff: BackoffOptions | undefined;
  readonly onReset: boolean;
  readonly onTryTimeout: boolean;
  /** Whether an answer's head can be a reason. */
  readonly looksAtAnswers: boolean;
  onStatus(status: number): boolean;
  /** `status` is the number in `grpc-status` of an answer without messages. */
  onGrpcStatus(status: number): boolean;
}

const DEFAULT_CONDITIONS: readonly RetryCondition[] = [
  'connect-failure',
  'refused-stream',
  'reset',
  'per-try-timeout',
];

const GRPC_CONDITIONS: Partial<Record<RetryCondition, number>> = {
  'grpc-cancelled': 1,
  'grpc-deadline-exceeded': 4,
  'grpc-resource-exhausted': 8,
  'grpc-internal': 13,
  'grpc-unavailable': 14,
};

/** Compiles a policy. Whoever names a gRPC condition says with it that the calls, all of them POST, may be repeated. */
export function compileRetryRule(policy: RetryPolicy): RetryRule {
  const conditions = new Set<RetryCondition>(policy.on ?? DEFAULT_CONDITIONS);
  const statuses = new Set(policy.statuses ?? []);
  if (conditions.has('gateway-error')) for (const status of [502, 503, 504]) statuses.add(status);
  if (conditions.has('retriable-4xx')) statuses.add(409);
  const any5xx = conditions.has('5xx');
  const grpcStatuses = new Set<number>();
  for (const condition of conditions) {
    const status = GRPC_CONDITIONS[condition];
    if (status !== undefined) grpcStatuses.add(status);
  }
  return {
    attempts: policy.attempts,
    perTryTimeoutMs: policy.perTryTimeoutMs,
    anyMethod: policy.anyMethod === true || grpcStatuses.size > 0,
    backoff: policy.backoff,
    onReset: any5xx || conditions.has('reset'),
    onTryTimeout: any5xx || conditions.has('per-try-timeout'),
    looksAtAnswers: policy.attempts > 0 && (any5xx || statuses.size > 0 || grpcStatuses.size > 0),
    onStatus: (status) => statuses.has(status) || (any5xx && status >= 500),
    onGrpcStatus: (status) => grpcStatuses.has(status),
  };
}
