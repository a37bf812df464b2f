/** Canonical codes of gRPC that a gateway gives by itself. */
export const GRPC_STATUS = {
  DEADLINE_EXCEEDED: 4,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

/** A failure in gRPC's form: HTTP 200, these lines, and no body. */
export interface GrpcFailure {
  readonly status: 200;
  readonly lines: string;
}

/** Whether a request is gRPC's, by its content type: `application/grpc` with `+proto` and the like, but not gRPC-Web. */
export function isGrpc(contentType: string | undefined): boolean {
  if (contentType === undefined || contentType.length < 16) return false;
  if (contentType.slice(0, 16).toLowerCase() !== 'application/grpc') return false;
  const next = contentType.charAt(16);
  return next === '' || next === '+' || next === ';' || next === ' ';
}

/** A failure of the gateway as a gRPC client understands it; `code` is the gateway's and goes into the message. */
export function toGrpcFailure(status: number, code: string, message: string): GrpcFailure {
  const lines = `Content-Type: application/grpc\r\n${grpcTrailers(status, code, message)}`;
  return { status: 200, lines };
}

/** The same as trailers, for an answer that began well. */
export function grpcTrailers(status: number, code: string, message: string): string {
  const text = grpcMessage(`${code}: ${message}`);
  return `Grpc-Status: ${toGrpcStatus(status, code)}\r\nGrpc-Message: ${text}\r\n`;
}

/** As github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md, and time-outs told as what they are. */
function toGrpcStatus(status: number, code: string): number {
  if (code === 'REQUEST_TIMEOUT' || status === 504) return GRPC_STATUS.DEADLINE_EXCEEDED;
  switch (status) {
    case 401:
      return GRPC_STATUS.UNAUTHENTICATED;
    case 403:
      return GRPC_STATUS.PERMISSION_DENIED;
    case 404:
    case 405:
    case 501:
      return GRPC_STATUS.UNIMPLEMENTED;
    case 413:
    case 429:
    case 431:
      return GRPC_STATUS.RESOURCE_EXHAUSTED;
    case 502:
    case 503:
      return GRPC_STATUS.UNAVAILABLE;
    default:
      return GRPC_STATUS.INTERNAL;
  }
}

const BYTES = new TextEncoder();

/** Percent-encodes all but printable ASCII, and `%` (gRPC over HTTP/2, "Status-Message"). */
export function grpcMessage(text: string): string {
  let encoded = '';
  for (const byte of BYTES.encode(text)) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += plain
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

const TIMEOUT_UNITS_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1 / 1_000,
  n: 1 / 1_000_000,
};

/**
 * Milliseconds of a `grpc-timeout` value (one to eight digits and a unit), rounded up so that a deadline is never early;
 * undefined when it is none.
 */
export function parseGrpcTimeout(value: string): number | undefined {
  const parts = /^(\d{1,8})([HMSmun])$/.exec(value);
  if (parts === null) return undefined;
  return Math.ceil(Number(parts[1]) * (TIMEOUT_UNITS_MS[parts[2] ?? ''] ?? 0));
}
