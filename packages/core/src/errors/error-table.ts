/**
 * Every error a caller can meet. A code is never reused for another meaning. `http` is the native status, `grpc` the
 * canonical code, `retryable` whether the same request may succeed later without a change by the caller.
 */
export const ERROR_TABLE = {
  // The request itself.
  BODY_MALFORMED: {
    http: 400,
    grpc: 'INVALID_ARGUMENT',
    retryable: false,
    title: 'The body is not valid JSON',
  },
  BODY_NOT_UTF8: {
    http: 400,
    grpc: 'INVALID_ARGUMENT',
    retryable: false,
    title: 'The body is not valid UTF-8',
  },
  BODY_TOO_LARGE: {
    http: 413,
    grpc: 'RESOURCE_EXHAUSTED',
    retryable: false,
    title: 'The body is larger than allowed',
  },
  BODY_TOO_DEEP: {
    http: 400,
    grpc: 'INVALID_ARGUMENT',
    retryable: false,
    title: 'The body is nested too deeply',
  },
  BODY_FORBIDDEN_KEY: {
    http: 400,
    grpc: 'INVALID_ARGUMENT',
    retryable: false,
    title: 'The body holds a key that is never allowed',
  },
  MEDIA_TYPE_UNSUPPORTED: {
    http: 415,
    grpc: 'INVALID_ARGUMENT',
    retryable: false,
    title: 'The body has to be application/json',
  },
  VALIDATION_FAILED: {
    http: 400,
    grpc: 'INVALID_ARGUMENT',
    retryable: false,
    title: 'A field is not as expected',
  },
  QUERY_INVALID: {
    http: 400,
    grpc: 'INVALID_ARGUMENT',
    retryable: false,
    title: 'A query parameter is not as expected',
  },
  PATH_NOT_FOUND: {
    http: 404,
    grpc: 'UNIMPLEMENTED',
    retryable: false,
    title: 'There is nothing at this path',
  },
  METHOD_NOT_ALLOWED: {
    http: 405,
    grpc: 'UNIMPLEMENTED',
    retryable: false,
    title: 'The path does not take this method',
  },
  UPGRADE_REQUIRED: {
    http: 426,
    grpc: 'UNIMPLEMENTED',
    retryable: false,
    title: 'The path is spoken to by another protocol',
  },
  FRAME_INVALID: {
    http: 400,
    grpc: 'INVALID_ARGUMENT',
    retryable: false,
    title: 'A frame is not as the agent protocol has it',
  },
  PEER_SILENT: {
    http: 408,
    grpc: 'DEADLINE_EXCEEDED',
    retryable: true,
    title: 'Nothing came in time, or half a frame',
  },
  ORIGIN_FORBIDDEN: {
    http: 403,
    grpc: 'PERMISSION_DENIED',
    retryable: false,
    title: 'Requests from this origin or for this host name are refused',
  },
  // The catalogue.
  INSTANCE_NOT_FOUND: {
    http: 404,
    grpc: 'NOT_FOUND',
    retryable: false,
    title: 'No such instance: register it again',
  },
  SERVICE_NOT_FOUND: { http: 404, grpc: 'NOT_FOUND', retryable: false, title: 'No such service' },
  ROUTE_NOT_FOUND: { http: 404, grpc: 'NOT_FOUND', retryable: false, title: 'No such route' },
  POLICY_NOT_FOUND: {
    http: 404,
    grpc: 'NOT_FOUND',
    retryable: false,
    title: 'No such traffic policy',
  },
  WEBHOOK_NOT_FOUND: { http: 404, grpc: 'NOT_FOUND', retryable: false, title: 'No such webhook' },
  NAMESPACE_NOT_FOUND: {
    http: 404,
    grpc: 'NOT_FOUND',
    retryable: false,
    title: 'No such namespace',
  },
  CHECK_NOT_FOUND: {
    http: 404,
    grpc: 'NOT_FOUND',
    retryable: false,
    title: 'The instance has no such check',
  },
  ADDRESS_CONFLICT: {
    http: 409,
    grpc: 'ALREADY_EXISTS',
    retryable: false,
    title: 'Another instance of the service holds this address and port',
  },
  ADDRESS_FORBIDDEN: {
    http: 403,
    grpc: 'PERMISSION_DENIED',
    retryable: false,
    title: 'This address may not be dialled from here',
  },
  SCRIPT_CHECK_FORBIDDEN: {
    http: 403,
    grpc: 'PERMISSION_DENIED',
    retryable: false,
    title: 'Script checks are not accepted from the network',
  },
  PREFLIGHT_FAILED: {
    http: 422,
    grpc: 'FAILED_PRECONDITION',
    retryable: true,
    title: 'The port did not accept a connection',
  },
  LABEL_LIMIT: {
    http: 400,
    grpc: 'INVALID_ARGUMENT',
    retryable: false,
    title: 'Too many or too long labels',
  },
  EXCLUSIVE_CONFLICT: {
    http: 409,
    grpc: 'FAILED_PRECONDITION',
    retryable: false,
    title: 'The settings of the service say that it is not exclusive',
  },
  SERVICE_NOT_EXCLUSIVE: {
    http: 409,
    grpc: 'FAILED_PRECONDITION',
    retryable: false,
    title: 'The service is not exclusive',
  },
  STANDBY_UNAVAILABLE: {
    http: 409,
    grpc: 'FAILED_PRECONDITION',
    retryable: true,
    title: 'No standby can take over now',
  },
  CONFLICT: {
    http: 409,
    grpc: 'ABORTED',
    retryable: true,
    title: 'The document changed meanwhile',
  },
  PRECONDITION_FAILED: {
    http: 412,
    grpc: 'FAILED_PRECONDITION',
    retryable: false,
    title: 'The document is not at the revision that the condition names',
  },
  REVISION_COMPACTED: {
    http: 410,
    grpc: 'OUT_OF_RANGE',
    retryable: false,
    title: 'The revision is too old: read the present state, then watch from its revision',
  },
  REVISION_IN_FUTURE: {
    http: 400,
    grpc: 'OUT_OF_RANGE',
    retryable: false,
    title: 'The revision has not happened yet',
  },
  // Capacity.
  TOO_MANY_REQUESTS: {
    http: 429,
    grpc: 'RESOURCE_EXHAUSTED',
    retryable: true,
    title: 'More than can be taken now',
  },
  CONTROL_OVERLOADED: {
    http: 429,
    grpc: 'RESOURCE_EXHAUSTED',
    retryable: true,
    title: 'The control port has more to do than it can',
  },
  TOO_MANY_WATCHERS: {
    http: 503,
    grpc: 'RESOURCE_EXHAUSTED',
    retryable: true,
    title: 'No more watchers can be taken',
  },
  STARTING: {
    http: 503,
    grpc: 'UNAVAILABLE',
    retryable: true,
    title: 'The server is starting',
  },
  SHUTTING_DOWN: {
    http: 503,
    grpc: 'UNAVAILABLE',
    retryable: true,
    title: 'The server is shutting down',
  },
  GATEWAY_ABSENT: {
    http: 501,
    grpc: 'UNIMPLEMENTED',
    retryable: false,
    title: 'This process has no gateway',
  },
  // The store and its surroundings.
  STORE_LOCKED: {
    http: 503,
    grpc: 'UNAVAILABLE',
    retryable: false,
    title: 'Another process uses the data folder',
  },
  STORE_FULL: { http: 507, grpc: 'RESOURCE_EXHAUSTED', retryable: true, title: 'The disk is full' },
  STORE_FORBIDDEN: {
    http: 503,
    grpc: 'PERMISSION_DENIED',
    retryable: false,
    title: 'The data folder cannot be written',
  },
  STORE_CORRUPT: {
    http: 503,
    grpc: 'DATA_LOSS',
    retryable: false,
    title: 'The data file is damaged',
  },
  STORE_COMPACTED: {
    http: 410,
    grpc: 'OUT_OF_RANGE',
    retryable: false,
    title: 'The store no longer holds these changes',
  },
  STORE_CLOSED: { http: 503, grpc: 'UNAVAILABLE', retryable: true, title: 'The store is closed' },
  STORE_FAILED: { http: 503, grpc: 'UNAVAILABLE', retryable: true, title: 'The store failed' },
  SNAPSHOT_INVALID: {
    http: 400,
    grpc: 'INVALID_ARGUMENT',
    retryable: false,
    title: 'The snapshot is damaged or of another kind',
  },
  // Our own faults.
  INTERNAL: {
    http: 500,
    grpc: 'INTERNAL',
    retryable: true,
    title: 'A fault of ours; it is logged under the request id',
  },
} as const satisfies Record<string, ErrorRow>;

export interface ErrorRow {
  readonly http: number;
  readonly grpc: string;
  readonly retryable: boolean;
  readonly title: string;
}

export type ErrorCode = keyof typeof ERROR_TABLE;
