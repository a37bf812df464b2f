import type { OutlierSignal } from '@portolan/core';
import type { ResponseHead, UpstreamErrorCode } from '@portolan/http';
import type { RetryRule } from '../routing/retry-rule.ts';
import type { GatewayErrorCode } from './gateway-errors.ts';

/** What an attempt failed with: the engine's codes, or our own per-try timeout. */
export type AttemptFailure = UpstreamErrorCode | 'TRY_TIMEOUT';

// RFC 9110 §9.2.2.
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);
/** Endpoints that refuse connections are passed over up to this many times, since nothing was sent to them. */
export const MAX_CONNECT_TRIES = 10;

/** Whether no byte of the request can have reached the upstream. */
export function isUnsent(failure: AttemptFailure): boolean {
  switch (failure) {
    case 'CONNECT_FAILED':
    case 'CONNECT_TIMEOUT':
    case 'TLS_FAILED':
    case 'STREAM_REFUSED':
    case 'POOL_CLOSED':
    case 'QUEUE_FULL':
    case 'QUEUE_TIMEOUT':
      return true;
    default:
      return false;
  }
}

/** What a failure says of its endpoint; undefined when it says something of us only. */
export function outlierSignal(failure: AttemptFailure): OutlierSignal | undefined {
  switch (failure) {
    case 'POOL_CLOSED':
    case 'QUEUE_FULL':
    case 'QUEUE_TIMEOUT':
    case 'STREAM_REFUSED':
    case 'UPGRADE_UNSUPPORTED':
      return undefined;
    case 'CONNECT_FAILED':
    case 'TLS_FAILED':
      return 'connect-failure';
    case 'CONNECT_TIMEOUT':
      return 'connect-timeout';
    case 'CLOSED_BEFORE_RESPONSE':
    case 'RESPONSE_TRUNCATED':
      return 'connection-lost';
    case 'RESPONSE_MALFORMED':
    case 'IDLE_TIMEOUT':
    case 'TRY_TIMEOUT':
      return 'failure';
  }
}

/** What a decision about a retry looks at besides what happened. */
export interface RetryableRequest {
  readonly method: string;
  readonly rule: RetryRule;
  /** Whether what was read of the body can be sent again. */
  readonly replayable: boolean;
  readonly tries: number;
  readonly connectTries: number;
  /** Whether an endpoint that was not tried is left. */
  readonly elsewhere: boolean;
}

/** What a retry would be charged to: nothing, the retry budget, or that there must be none. Nothing was answered yet. */
export function retryCharge(
  failure: AttemptFailure,
  request: RetryableRequest,
): 'free' | 'budget' | 'never' {
  if (isUnsent(failure)) {
    // Waiting again where the queue is full would only make it longer.
    const queue = failure === 'QUEUE_FULL' || failure === 'QUEUE_TIMEOUT';
    if (queue && !request.elsewhere) return 'never';
    // Settings and certificates do not mend within a moment.
    if (failure === 'TLS_FAILED' && !request.elsewhere) return 'never';
    return request.connectTries < MAX_CONNECT_TRIES ? 'free' : 'never';
  }
  const lost = failure === 'CLOSED_BEFORE_RESPONSE' || failure === 'RESPONSE_TRUNCATED';
  const meant = lost
    ? request.rule.onReset
    : failure === 'TRY_TIMEOUT' && request.rule.onTryTimeout;
  if (!meant || !mayRepeat(request)) return 'never';
  // A lost connection costs its upstream nothing any more, so trying once elsewhere adds no load: a killed instance
  // takes half of a pair's requests with it, which no budget would allow for.
  return lost && request.tries === 1 ? 'free' : 'budget';
}

/** Whether an answer is to be thrown away and the request tried again, within the budget. */
export function retriesAnswer(head: ResponseHead, request: RetryableRequest): boolean {
  const { rule } = request;
  if (!rule.looksAtAnswers || !mayRepeat(request)) return false;
  if (rule.onStatus(head.status)) return true;
  // gRPC: a failure without any message has its status in the head.
  const grpcStatus = head.status === 200 ? head.get('grpc-status') : undefined;
  return grpcStatus !== undefined && rule.onGrpcStatus(Number(grpcStatus));
}

/** Whether the request may reach an upstream twice. */
export function isRepeatable(method: string): boolean {
  return IDEMPOTENT.has(method);
}

function mayRepeat(request: RetryableRequest): boolean {
  if (request.tries > request.rule.attempts || !request.replayable) return false;
  return request.rule.anyMethod || isRepeatable(request.method);
}

/** How a failure that is not retried is told to the client. */
export function failureCode(failure: AttemptFailure): GatewayErrorCode {
  switch (failure) {
    case 'CONNECT_FAILED':
    case 'CONNECT_TIMEOUT':
    case 'POOL_CLOSED':
      return 'UPSTREAM_CONNECT_FAILED';
    case 'TLS_FAILED':
      return 'UPSTREAM_TLS_FAILED';
    case 'STREAM_REFUSED':
      return 'UPSTREAM_STREAM_REFUSED';
    case 'UPGRADE_UNSUPPORTED':
      return 'UPSTREAM_UPGRADE_UNSUPPORTED';
    case 'QUEUE_FULL':
    case 'QUEUE_TIMEOUT':
      return 'UPSTREAM_OVERFLOW';
    case 'CLOSED_BEFORE_RESPONSE':
    case 'RESPONSE_TRUNCATED':
      return 'UPSTREAM_CONNECTION_LOST';
    case 'RESPONSE_MALFORMED':
      return 'UPSTREAM_PROTOCOL_ERROR';
    case 'IDLE_TIMEOUT':
    case 'TRY_TIMEOUT':
      return 'UPSTREAM_TIMEOUT';
  }
}
