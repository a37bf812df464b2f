import type { UpstreamErrorCode } from '@portolan/http';
import type { GatewayErrorCode } from './gateway-errors.ts';

/** What an attempt failed with: the engine's codes, or our own per-try timeout. */
export type AttemptFailure = UpstreamErrorCode | 'TRY_TIMEOUT';

// RFC 9110 §9.2.2.
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);
/** Endpoints that refuse connections are passed over up to this many times, since nothing was sent to them. */
export const MAX_CONNECT_TRIES = 10;

/** Whether no byte of the request can have reached the upstream. */
export function isUnsent(failure: AttemptFailure): boolean {
  return failure === 'CONNECT_FAILED' || failure === 'CONNECT_TIMEOUT' || failure === 'POOL_CLOSED';
}

/** What a retry would be charged to: nothing, the retry budget, or that there must be none. */
export function retryCharge(
  failure: AttemptFailure,
  request: {
    readonly method: string;
    /** Whether what was read of the body can be sent again. */
    readonly replayable: boolean;
    readonly tries: number;
    readonly connectTries: number;
    readonly attempts: number;
  },
): 'free' | 'budget' | 'never' {
  if (isUnsent(failure)) return request.connectTries < MAX_CONNECT_TRIES ? 'free' : 'never';
  if (failure !== 'CLOSED_BEFORE_RESPONSE' && failure !== 'TRY_TIMEOUT') return 'never';
  if (request.tries > request.attempts) return 'never';
  if (!IDEMPOTENT.has(request.method) || !request.replayable) return 'never';
  // A lost connection costs its upstream nothing any more, so trying once elsewhere adds no load: a killed instance
  // takes half of a pair's requests with it, which no budget would allow for.
  return failure === 'CLOSED_BEFORE_RESPONSE' && request.tries === 1 ? 'free' : 'budget';
}

/** How a failure that is not retried is told to the client. */
export function failureCode(failure: AttemptFailure): GatewayErrorCode {
  switch (failure) {
    case 'CONNECT_FAILED':
    case 'CONNECT_TIMEOUT':
    case 'POOL_CLOSED':
      return 'UPSTREAM_CONNECT_FAILED';
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
