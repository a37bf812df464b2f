import type { RequestHead } from '@portolan/http';
import { isGrpc, parseGrpcTimeout } from '../transport/grpc-failure.ts';

type AskedHead = Pick<RequestHead, 'method' | 'get'>;

/** Whether failures are to be told in gRPC's form. */
export function isGrpcRequest(head: AskedHead): boolean {
  return head.method === 'POST' && isGrpc(head.get('content-type'));
}

/** The time a request may take: `limitMs`, or its gRPC deadline where that is shorter. */
export function requestLimitMs(head: AskedHead, limitMs: number): number {
  const told = head.method === 'POST' ? head.get('grpc-timeout') : undefined;
  const deadlineMs = told === undefined ? undefined : parseGrpcTimeout(told);
  return deadlineMs === undefined ? limitMs : Math.min(limitMs, deadlineMs);
}
