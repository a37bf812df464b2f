import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { type ErrorCode, isRegistryError, type Problem, RegistryError } from '@portolan/core';
import { toProblemDocument } from '../rest/problem-reply.ts';
import type { LoadedProtos, RpcMessage } from './load-protos.ts';

const DOMAIN = 'portolan';
/** Larger metadata may be refused on the way. */
const MAX_VIOLATIONS = 20;
const MAX_DETAIL = 500;
const MAX_DESCRIPTION = 200;

/** The status for whatever was thrown, with its details as `google.rpc` has them. Nothing of a fault of our own is told. */
export function toStatusError(
  error: unknown,
  rpc: LoadedProtos['rpc'],
  requestId: string,
): Pick<ServiceError, 'code' | 'details' | 'metadata'> {
  const problem = toProblemDocument(error, requestId);
  const reason = problem.code;
  // It travels percent-encoded in a header: the library throws at half a surrogate pair, and long ones are cut on the way.
  const detail = problem.detail
    .replace(/^\$\.?/, '')
    .slice(0, MAX_DETAIL)
    .toWellFormed();
  const code = toStatusCode(error);
  const details = [any(rpc, 'ErrorInfo', { reason, domain: DOMAIN, metadata: { requestId } })];
  if (isRegistryError(error)) {
    if (error.problems.length > 0) {
      const fieldViolations = error.problems.slice(0, MAX_VIOLATIONS).map((problem) => ({
        field: problem.path.replace(/^\$\.?/, '').slice(0, MAX_DESCRIPTION),
        description: describe(problem).slice(0, MAX_DESCRIPTION),
      }));
      details.push(any(rpc, 'BadRequest', { fieldViolations }));
    }
    if (error.retryAfterMs !== undefined) {
      const seconds = Math.floor(error.retryAfterMs / 1_000);
      const nanos = Math.round((error.retryAfterMs % 1_000) * 1e6);
      details.push(any(rpc, 'RetryInfo', { retryDelay: { seconds, nanos } }));
    }
  }
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', rpc.Status({ code, message: detail, details }));
  // What clients' own retry policies heed (gRFC A6).
  if (isRegistryError(error) && error.retryAfterMs !== undefined) {
    metadata.set('grpc-retry-pushback-ms', String(Math.ceil(error.retryAfterMs)));
  }
  return { code, details: detail, metadata };
}

/** The canonical code; each has its row in the error table. */
export function toStatusCode(error: unknown): status {
  const row = isRegistryError(error)
    ? error.row
    : new RegistryError('INTERNAL', { detail: '' }).row;
  return status[row.grpc as keyof typeof status] as status;
}

export function toErrorCode(error: unknown): ErrorCode {
  return isRegistryError(error) ? error.code : 'INTERNAL';
}

function any(rpc: LoadedProtos['rpc'], name: RpcMessage, value: object) {
  return { type_url: `type.googleapis.com/google.rpc.${name}`, value: rpc[name](value) };
}

function describe({ expected, found }: Problem): string {
  return `expected ${expected}${found === undefined ? '' : `, found ${found}`}`;
}
