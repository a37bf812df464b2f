import { type ControlReply, type ErrorCode, isRegistryError, RegistryError } from '@portolan/core';

export const TEXT_HEADERS: Readonly<Record<string, string>> = Object.freeze({
  'content-type': 'text/plain; charset=utf-8',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
});

/** A fault told in Consul's own words: its text is the body as it stands. */
export class ConsulError extends RegistryError {
  readonly status: number;

  constructor(status: number, text: string, code: ErrorCode = 'VALIDATION_FAILED') {
    super(code, { detail: text });
    this.status = status;
  }
}

export function badRequest(text: string): ConsulError {
  return new ConsulError(400, text);
}

export const NOT_AN_ENDPOINT = 'Invalid URL path: not a recognized HTTP API endpoint';
export const BLOCKED = 'Endpoint is blocked by agent configuration';

interface Wire {
  readonly status: number;
  /** What Consul says before, or instead of, our own words. */
  readonly text?: (detail: string) => string;
}

const INVALID = 400;
const decode = (detail: string): string => `Request decode failed: ${detail}`;
const invalidService = (detail: string): string => `Invalid service: ${detail}`;
const denied = (detail: string): string => `Permission denied: ${detail}`;

/** Every error of ours as this wire says it. Total: a new code does not compile until it stands here. */
const WIRE: Readonly<Record<ErrorCode, Wire>> = {
  BODY_MALFORMED: { status: INVALID, text: decode },
  BODY_NOT_UTF8: { status: INVALID, text: decode },
  BODY_TOO_LARGE: { status: 413, text: (detail) => `Request body too large: ${detail}` },
  BODY_TOO_DEEP: { status: INVALID, text: decode },
  BODY_FORBIDDEN_KEY: { status: INVALID, text: decode },
  MEDIA_TYPE_UNSUPPORTED: { status: INVALID, text: decode },
  VALIDATION_FAILED: { status: INVALID, text: invalidService },
  QUERY_INVALID: { status: INVALID },
  PATH_NOT_FOUND: { status: 404, text: () => NOT_AN_ENDPOINT },
  METHOD_NOT_ALLOWED: { status: 405 },
  ORIGIN_FORBIDDEN: { status: 403, text: denied },
  INSTANCE_NOT_FOUND: { status: 404 },
  SERVICE_NOT_FOUND: { status: 404 },
  ROUTE_NOT_FOUND: { status: 404 },
  POLICY_NOT_FOUND: { status: 404 },
  WEBHOOK_NOT_FOUND: { status: 404 },
  NAMESPACE_NOT_FOUND: { status: 404 },
  CHECK_NOT_FOUND: { status: 404 },
  ADDRESS_CONFLICT: { status: INVALID, text: invalidService },
  ADDRESS_FORBIDDEN: { status: 403, text: denied },
  SCRIPT_CHECK_FORBIDDEN: { status: INVALID },
  PREFLIGHT_FAILED: { status: INVALID, text: invalidService },
  LABEL_LIMIT: { status: INVALID, text: (detail) => `Invalid Service Meta: ${detail}` },
  CONFLICT: { status: 500 },
  EXCLUSIVE_CONFLICT: { status: INVALID, text: invalidService },
  SERVICE_NOT_EXCLUSIVE: { status: INVALID },
  STANDBY_UNAVAILABLE: { status: 500 },
  PRECONDITION_FAILED: { status: INVALID },
  REVISION_COMPACTED: { status: 500 },
  REVISION_IN_FUTURE: { status: INVALID },
  // Consul's own limits answer 429 to what it may take later and 503 to what another server may take.
  TOO_MANY_REQUESTS: { status: 429 },
  CONTROL_OVERLOADED: { status: 429 },
  TOO_MANY_WATCHERS: { status: 503 },
  UPGRADE_REQUIRED: { status: 426 },
  FRAME_INVALID: { status: INVALID, text: decode },
  PEER_SILENT: { status: 408 },
  STARTING: { status: 503 },
  SHUTTING_DOWN: { status: 503 },
  GATEWAY_ABSENT: { status: 500 },
  STORE_LOCKED: { status: 500 },
  STORE_FULL: { status: 500 },
  STORE_FORBIDDEN: { status: 500 },
  STORE_CORRUPT: { status: 500 },
  STORE_COMPACTED: { status: 500 },
  STORE_CLOSED: { status: 503 },
  STORE_FAILED: { status: 500 },
  SNAPSHOT_INVALID: { status: INVALID },
  INTERNAL: { status: 500 },
};

/** Whatever was thrown as Consul tells it: plain text, never JSON. Nothing of a fault of ours is told but its id. */
export function toErrorReply(error: unknown, requestId: string): ControlReply {
  if (error instanceof ConsulError) return textReply(error.status, error.message);
  if (!isRegistryError(error)) {
    return textReply(500, `rpc error: a fault of the server, logged under ${requestId}`);
  }
  const { status, text } = WIRE[error.code];
  const { retryAfterMs } = error;
  const retry =
    retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) };
  return textReply(status, text ? text(error.message) : error.message, retry);
}

export function textReply(
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): ControlReply {
  return { status, headers: { ...TEXT_HEADERS, ...headers }, body };
}
