import { type ErrorCode, isRegistryError, RegistryError } from '@portolan/core';

/** How a fault looks to a Nacos client: an HTTP status, and the code of `ErrorCode.java` that v2 adds. */
export interface NacosFault {
  readonly status: number;
  readonly code: number;
  readonly message: string;
}

interface Row {
  readonly status: number;
  readonly code: number;
}

const PARAMETER_MISSING = 10_000;
const ACCESS_DENIED = 10_001;
const VALIDATE = 20_002;
const NOT_FOUND = 20_004;
const CONFLICT = 20_005;
const SERVICE_NAME = 21_000;
const WEIGHT = 21_001;
const METADATA = 21_002;
const INSTANCE_NOT_FOUND = 21_003;
const SERVICE_EXISTS = 21_007;
const SERVICE_NOT_EXIST = 21_008;
const SERVICE_NOT_EMPTY = 21_009;
const NAMESPACE_INVALID = 22_000;
const NAMESPACE_NOT_EXIST = 22_001;
const SERVER_ERROR = 30_000;

const refusal: Row = { status: 400, code: VALIDATE };
const absent: Row = { status: 404, code: NOT_FOUND };
const busy: Row = { status: 503, code: SERVER_ERROR };
const forbidden: Row = { status: 403, code: ACCESS_DENIED };

/** Every code has a status and a number. */
const ROWS: Readonly<Record<ErrorCode, Row>> = {
  BODY_MALFORMED: refusal,
  BODY_NOT_UTF8: refusal,
  BODY_TOO_LARGE: { status: 413, code: VALIDATE },
  BODY_TOO_DEEP: refusal,
  BODY_FORBIDDEN_KEY: refusal,
  MEDIA_TYPE_UNSUPPORTED: { status: 415, code: VALIDATE },
  VALIDATION_FAILED: refusal,
  QUERY_INVALID: { status: 400, code: PARAMETER_MISSING },
  PATH_NOT_FOUND: absent,
  METHOD_NOT_ALLOWED: { status: 405, code: VALIDATE },
  ORIGIN_FORBIDDEN: forbidden,
  INSTANCE_NOT_FOUND: { status: 404, code: INSTANCE_NOT_FOUND },
  SERVICE_NOT_FOUND: { status: 404, code: SERVICE_NOT_EXIST },
  ROUTE_NOT_FOUND: absent,
  POLICY_NOT_FOUND: absent,
  WEBHOOK_NOT_FOUND: absent,
  NAMESPACE_NOT_FOUND: { status: 404, code: NAMESPACE_NOT_EXIST },
  CHECK_NOT_FOUND: absent,
  ADDRESS_CONFLICT: { status: 409, code: CONFLICT },
  ADDRESS_FORBIDDEN: forbidden,
  SCRIPT_CHECK_FORBIDDEN: forbidden,
  PREFLIGHT_FAILED: refusal,
  LABEL_LIMIT: { status: 400, code: METADATA },
  EXCLUSIVE_CONFLICT: { status: 409, code: CONFLICT },
  SERVICE_NOT_EXCLUSIVE: { status: 409, code: CONFLICT },
  STANDBY_UNAVAILABLE: { status: 409, code: CONFLICT },
  CONFLICT: { status: 409, code: CONFLICT },
  PRECONDITION_FAILED: { status: 409, code: CONFLICT },
  REVISION_COMPACTED: absent,
  REVISION_IN_FUTURE: refusal,
  TOO_MANY_REQUESTS: { status: 503, code: SERVER_ERROR },
  CONTROL_OVERLOADED: { status: 503, code: SERVER_ERROR },
  UPGRADE_REQUIRED: { status: 426, code: VALIDATE },
  FRAME_INVALID: refusal,
  PEER_SILENT: { status: 408, code: VALIDATE },
  TOO_MANY_WATCHERS: busy,
  STARTING: busy,
  SHUTTING_DOWN: busy,
  GATEWAY_ABSENT: { status: 501, code: SERVER_ERROR },
  STORE_LOCKED: busy,
  STORE_FULL: busy,
  STORE_FORBIDDEN: busy,
  STORE_CORRUPT: busy,
  STORE_COMPACTED: busy,
  STORE_CLOSED: busy,
  STORE_FAILED: busy,
  SNAPSHOT_INVALID: refusal,
  INTERNAL: { status: 500, code: SERVER_ERROR },
};

/** A path may be long; what is said of it need not be. */
const MAX_MESSAGE = 1_024;

/** Pseudo paths of the faults that only Nacos knows. */
const SERVICE_IS_THERE = '$nacos.exists';
const SERVICE_HAS_INSTANCES = '$nacos.notEmpty';

/** Finer codes that Nacos has for what is one code here, by the field concerned. */
const BY_PATH: readonly (readonly [string, number])[] = [
  ['$.weight', WEIGHT],
  ['$.metadata', METADATA],
  ['$.service', SERVICE_NAME],
  ['$.group', SERVICE_NAME],
  ['$.namespace', NAMESPACE_INVALID],
  [SERVICE_IS_THERE, SERVICE_EXISTS],
  [SERVICE_HAS_INSTANCES, SERVICE_NOT_EMPTY],
];

/** Nothing of a fault of ours is told but the id in the log. */
export function toNacosFault(error: unknown, requestId: string): NacosFault {
  if (!isRegistryError(error)) {
    const message = `Something failed that should not have; the log has it under ${requestId}.`;
    return { ...ROWS.INTERNAL, message };
  }
  const { status, code } = ROWS[error.code];
  const path = error.problems[0]?.path;
  const finer =
    error.code === 'VALIDATION_FAILED'
      ? BY_PATH.find(([prefix]) => path?.startsWith(prefix))?.[1]
      : undefined;
  return { status, code: finer ?? code, message: error.message.slice(0, MAX_MESSAGE) };
}

export function missing(name: string): RegistryError {
  return new RegistryError('QUERY_INVALID', { detail: `caused: Param '${name}' is required.;` });
}

export function illegal(field: string, expected: string, found: string): RegistryError {
  return new RegistryError('VALIDATION_FAILED', {
    detail: `caused: Param '${field}' has to be ${expected}, not ${JSON.stringify(found.slice(0, 64))};`,
    problems: [{ path: `$.${field}`, expected }],
  });
}

export function denied(detail: string): RegistryError {
  return new RegistryError('ORIGIN_FORBIDDEN', { detail });
}

export function serviceExists(name: string): RegistryError {
  return new RegistryError('VALIDATION_FAILED', {
    detail: `specified service already exists, serviceName : ${name}`,
    problems: [{ path: SERVICE_IS_THERE, expected: 'a service that is not there yet' }],
  });
}

export function serviceNotEmpty(name: string): RegistryError {
  return new RegistryError('VALIDATION_FAILED', {
    detail: `Service ${name} is not empty, can't be delete. Please unregister instance first`,
    problems: [{ path: SERVICE_HAS_INSTANCES, expected: 'a service without instances' }],
  });
}
