import {
  type ControlReply,
  type ErrorCode,
  isRegistryError,
  type Problem,
  RegistryError,
} from '@portolan/core';

const TEXT = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' } as const;

/** A path may be long; what is said of it need not be. */
const MAX_TEXT = 1_024;

/** The status by which a Eureka client knows what to do; every code has one. */
const STATUS_OF: Readonly<Record<ErrorCode, number>> = {
  BODY_MALFORMED: 400,
  BODY_NOT_UTF8: 400,
  BODY_TOO_LARGE: 413,
  BODY_TOO_DEEP: 400,
  BODY_FORBIDDEN_KEY: 400,
  MEDIA_TYPE_UNSUPPORTED: 415,
  VALIDATION_FAILED: 400,
  QUERY_INVALID: 400,
  PATH_NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  ORIGIN_FORBIDDEN: 403,
  // A client that is told 404 for a renewal registers again.
  INSTANCE_NOT_FOUND: 404,
  SERVICE_NOT_FOUND: 404,
  ROUTE_NOT_FOUND: 404,
  POLICY_NOT_FOUND: 404,
  WEBHOOK_NOT_FOUND: 404,
  NAMESPACE_NOT_FOUND: 404,
  CHECK_NOT_FOUND: 404,
  ADDRESS_CONFLICT: 409,
  ADDRESS_FORBIDDEN: 403,
  SCRIPT_CHECK_FORBIDDEN: 403,
  PREFLIGHT_FAILED: 422,
  LABEL_LIMIT: 400,
  EXCLUSIVE_CONFLICT: 409,
  SERVICE_NOT_EXCLUSIVE: 409,
  STANDBY_UNAVAILABLE: 409,
  CONFLICT: 409,
  PRECONDITION_FAILED: 412,
  REVISION_COMPACTED: 410,
  REVISION_IN_FUTURE: 400,
  // Eureka's rate limiter answers 503, and its clients try the next server on any 5xx.
  TOO_MANY_REQUESTS: 503,
  CONTROL_OVERLOADED: 503,
  UPGRADE_REQUIRED: 426,
  FRAME_INVALID: 400,
  PEER_SILENT: 408,
  TOO_MANY_WATCHERS: 503,
  STARTING: 503,
  SHUTTING_DOWN: 503,
  GATEWAY_ABSENT: 501,
  STORE_LOCKED: 503,
  STORE_FULL: 503,
  STORE_FORBIDDEN: 503,
  STORE_CORRUPT: 503,
  STORE_COMPACTED: 503,
  STORE_CLOSED: 503,
  STORE_FAILED: 503,
  SNAPSHOT_INVALID: 400,
  INTERNAL: 500,
};

/** A status and a line of text, as Eureka answers. */
export function eurekaText(status: number, text: string): ControlReply {
  return { status, headers: TEXT, body: text };
}

/** The answer for whatever was thrown; nothing of a fault of ours is told but the id in the log. */
export function toEurekaError(error: unknown, requestId: string): ControlReply {
  if (!isRegistryError(error)) {
    return eurekaText(
      500,
      `Something failed that should not have; the log has it under ${requestId}.`,
    );
  }
  return eurekaText(STATUS_OF[error.code], error.message.slice(0, MAX_TEXT));
}

/** The status alone, for an item of a replication batch. */
export function statusOf(error: RegistryError): number {
  return STATUS_OF[error.code];
}

/** 400 with exactly this text. */
export function refused(detail: string, problem?: Problem): RegistryError {
  return new RegistryError('VALIDATION_FAILED', {
    detail,
    ...(problem === undefined ? {} : { problems: [problem] }),
  });
}
