import type { ProtocolErrorCode } from '../protocol/protocol-error.ts';

export type UpstreamErrorCode =
  /** No connection could be made. */
  | 'CONNECT_FAILED'
  | 'CONNECT_TIMEOUT'
  /** TLS could not be agreed on, or the certificate is not to be trusted; nothing was sent. */
  | 'TLS_FAILED'
  /** The upstream did not take the request and says so (HTTP/2): nothing was worked on. */
  | 'STREAM_REFUSED'
  /** A switch of protocols was asked of an HTTP/2 connection; nothing was sent. */
  | 'UPGRADE_UNSUPPORTED'
  /** All connections are taken, and as many requests wait as may. */
  | 'QUEUE_FULL'
  | 'QUEUE_TIMEOUT'
  /** The connection ended before a response head. */
  | 'CLOSED_BEFORE_RESPONSE'
  /** The connection ended inside the response. */
  | 'RESPONSE_TRUNCATED'
  /** The response breaks a rule of HTTP/1.1 or a limit: `protocolCode` says which. */
  | 'RESPONSE_MALFORMED'
  /** Nothing of the response arrived, or could be sent of the request, for too long. */
  | 'IDLE_TIMEOUT'
  | 'POOL_CLOSED';

/** Why an attempt at an upstream failed, and what that means for a retry. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError';
  readonly code: UpstreamErrorCode;
  readonly protocolCode: ProtocolErrorCode | undefined;

  constructor(
    code: UpstreamErrorCode,
    message: string,
    options: { cause?: unknown; protocolCode?: ProtocolErrorCode } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.protocolCode = options.protocolCode;
  }
}
