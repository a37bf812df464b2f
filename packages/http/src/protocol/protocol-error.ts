/**
 * Everything a peer can do to HTTP that this engine refuses. `status` is what a client is told; for a response from an
 * upstream the same codes are the reason of a 502. In HTTP/1.1 the connection is closed after each of them, in
 * HTTP/2 the stream, and the connection after too many.
 */
export const PROTOCOL_ERRORS = {
  REQUEST_LINE_MALFORMED: { status: 400, message: 'The request line is malformed' },
  STATUS_LINE_MALFORMED: { status: 502, message: 'The status line is malformed' },
  METHOD_INVALID: { status: 400, message: 'The method is not a token' },
  METHOD_NOT_SUPPORTED: { status: 501, message: 'CONNECT is not supported' },
  TARGET_INVALID: { status: 400, message: 'The request target holds a byte that is not allowed' },
  TARGET_TOO_LONG: { status: 414, message: 'The request target is too long' },
  TARGET_ENCODING_INVALID: { status: 400, message: 'The path holds an invalid percent-encoding' },
  TARGET_ENCODED_NUL: { status: 400, message: 'The path holds an encoded NUL' },
  TARGET_ENCODED_SLASH: { status: 400, message: 'The path holds an encoded slash' },
  TARGET_ENCODED_BACKSLASH: { status: 400, message: 'The path holds an encoded backslash' },
  TARGET_DOT_PARAMETER: { status: 400, message: 'A dot segment of the path carries a parameter' },
  VERSION_NOT_SUPPORTED: { status: 505, message: 'Only HTTP/1.0 and HTTP/1.1 are supported' },
  BARE_CR: { status: 400, message: 'A CR is not followed by an LF' },
  BARE_LF: { status: 400, message: 'An LF is not preceded by a CR' },
  CONTROL_CHARACTER: { status: 400, message: 'The head holds a control character' },
  OBSOLETE_FOLD: { status: 400, message: 'A header line begins with white space' },
  FIELD_NAME_EMPTY: { status: 400, message: 'A header name is empty' },
  FIELD_NAME_INVALID: { status: 400, message: 'A header name is not a token' },
  SPACE_BEFORE_COLON: { status: 400, message: 'There is white space before the colon of a header' },
  HEAD_TOO_LARGE: { status: 431, message: 'The head is too large' },
  TOO_MANY_FIELDS: { status: 431, message: 'The head has too many fields' },
  PSEUDO_FIELD_INVALID: {
    status: 400,
    message: 'A pseudo-header field is missing, repeated, unknown or out of its place',
  },
  HOST_MISSING: { status: 400, message: 'The Host header is missing' },
  HOST_DUPLICATE: { status: 400, message: 'There is more than one Host header' },
  HOST_INVALID: {
    status: 400,
    message: 'The Host header or the authority of the target is invalid',
  },
  CONTENT_LENGTH_INVALID: { status: 400, message: 'Content-Length is not one decimal number' },
  CONTENT_LENGTH_DUPLICATE: { status: 400, message: 'There is more than one Content-Length' },
  LENGTH_AND_ENCODING: {
    status: 400,
    message: 'Content-Length and Transfer-Encoding exclude each other',
  },
  TRANSFER_ENCODING_DUPLICATE: { status: 400, message: 'There is more than one Transfer-Encoding' },
  TRANSFER_ENCODING_IN_HTTP_1_0: {
    status: 400,
    message: 'HTTP/1.0 does not know Transfer-Encoding',
  },
  TRANSFER_ENCODING_UNSUPPORTED: {
    status: 501,
    message: 'The only transfer coding supported is chunked',
  },
  CONNECTION_INVALID: { status: 400, message: 'The Connection header is malformed' },
  CONNECTION_NAMES_PROTECTED_FIELD: {
    status: 400,
    message: 'The Connection header names a field that is not hop-by-hop',
  },
  EXPECTATION_UNKNOWN: { status: 417, message: 'The only expectation supported is 100-continue' },
  UPGRADE_WITH_BODY: { status: 400, message: 'An upgrade request must not have a body' },
  CHUNK_SIZE_INVALID: { status: 400, message: 'A chunk size is not a hexadecimal number' },
  CHUNK_TERMINATOR_INVALID: { status: 400, message: 'A chunk does not end with CRLF' },
  CHUNK_EXTENSION_INVALID: {
    status: 400,
    message: 'A chunk extension holds a byte that is not allowed',
  },
  CHUNK_EXTENSIONS_TOO_LARGE: { status: 413, message: 'The chunk extensions are too large' },
  TRAILERS_TOO_LARGE: { status: 431, message: 'The trailers are too large' },
  TRAILER_FORBIDDEN: { status: 400, message: 'A trailer names a field that frames or routes' },
  BODY_TOO_LARGE: { status: 413, message: 'The body is larger than allowed' },
  BODY_TRUNCATED: { status: 400, message: 'The peer closed before the body was complete' },
  HEAD_TRUNCATED: { status: 400, message: 'The peer closed before the head was complete' },
  HEAD_TIMEOUT: { status: 408, message: 'The head did not arrive in time' },
  BODY_TIMEOUT: { status: 408, message: 'The body arrives too slowly' },
  TOO_MANY_CONNECTIONS: { status: 503, message: 'There are too many connections' },
  TOO_MANY_RESETS: { status: 429, message: 'The client resets too many streams' },
  TOO_MANY_CONTROL_FRAMES: {
    status: 429,
    message: 'The client sends too many PING or SETTINGS frames',
  },
  SWITCH_UNASKED: { status: 502, message: 'The upstream switched protocols without being asked' },
  INTERIM_WITH_BODY: { status: 502, message: 'An interim response announces a body' },
  TOO_MANY_INFORMATIONAL: { status: 502, message: 'The upstream sent too many interim responses' },
} as const;

export type ProtocolErrorCode = keyof typeof PROTOCOL_ERRORS;

/** A peer broke a rule of HTTP or a limit. */
export class HttpProtocolError extends Error {
  override readonly name = 'HttpProtocolError';
  readonly code: ProtocolErrorCode;
  readonly status: number;

  constructor(code: ProtocolErrorCode) {
    super(PROTOCOL_ERRORS[code].message);
    this.code = code;
    this.status = PROTOCOL_ERRORS[code].status;
  }
}
