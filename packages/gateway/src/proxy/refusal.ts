import { toGrpcFailure } from '../transport/grpc-failure.ts';
import { errorBody } from './gateway-errors.ts';

/** An answer that the gateway gives by itself; `lines` are whole header lines. */
export interface OwnAnswer {
  readonly lines: string;
  readonly body: Buffer | undefined;
}

/** The answer that tells of a failure, in the form its client understands. */
export function refusal(failure: {
  readonly code: string;
  readonly status: number;
  readonly message: string;
  readonly requestId: string;
  /** Whether the client speaks gRPC. */
  readonly grpc: boolean;
}): OwnAnswer & { readonly status: number } {
  const { code, status, message, requestId } = failure;
  if (failure.grpc) return { ...toGrpcFailure(status, code, message), body: undefined };
  const retry = status === 503 ? 'Retry-After: 1\r\n' : '';
  return {
    status,
    lines: `Content-Type: application/json\r\n${retry}`,
    body: errorBody(code, status, message, requestId),
  };
}
