/** Every answer the gateway gives by itself, beside the engine's refusals of broken HTTP. */
export const GATEWAY_ERRORS = {
  NO_ROUTE: { status: 404, message: 'No route and no service matches the host and the path' },
  MAX_FORWARDS_REACHED: {
    status: 405,
    message: 'Max-Forwards is 0 and TRACE is not answered here',
  },
  NO_HEALTHY_ENDPOINT: {
    status: 503,
    message: 'The service has no endpoint that may take requests',
  },
  UPSTREAM_OVERFLOW: { status: 503, message: 'Every endpoint is at its limit of requests' },
  OVERLOADED: { status: 503, message: 'The gateway has as much to do as it can' },
  SHUTTING_DOWN: { status: 503, message: 'The gateway is shutting down' },
  UPSTREAM_CONNECT_FAILED: { status: 502, message: 'No connection to the upstream could be made' },
  UPSTREAM_TLS_FAILED: {
    status: 502,
    message: 'The upstream could not be reached over TLS, or its certificate is not to be trusted',
  },
  UPSTREAM_STREAM_REFUSED: { status: 503, message: 'The upstream refuses requests for now' },
  UPSTREAM_UPGRADE_UNSUPPORTED: {
    status: 502,
    message: 'The upstream is spoken to by HTTP/2, which does not switch protocols',
  },
  UPSTREAM_CONNECTION_LOST: {
    status: 502,
    message: 'The upstream closed the connection before it answered',
  },
  UPSTREAM_PROTOCOL_ERROR: { status: 502, message: 'The upstream broke a rule of HTTP' },
  UPSTREAM_SWITCH_UNASKED: {
    status: 502,
    message: 'The upstream switched protocols without being asked',
  },
  UPSTREAM_TIMEOUT: { status: 504, message: 'The upstream did not answer in time' },
  REQUEST_TIMEOUT: { status: 504, message: 'The exchange took longer than the route allows' },
  RATE_LIMITED: { status: 429, message: 'The route takes no more requests from you for now' },
  BODY_TOO_LARGE_FOR_ROUTE: { status: 413, message: 'The body is larger than the route allows' },
  AUTH_UNAVAILABLE: {
    status: 503,
    message: 'The service that decides who may pass does not answer',
  },
  REWRITE_INVALID: {
    status: 500,
    message: "The route's rewrite makes no path of what was asked for",
  },
  INTERNAL: { status: 500, message: 'A fault of ours; it is logged under the request id' },
} as const;

export type GatewayErrorCode = keyof typeof GATEWAY_ERRORS;

/** The JSON body of an answer the gateway gives by itself. */
export function errorBody(
  code: string,
  status: number,
  message: string,
  requestId: string,
): Buffer {
  return Buffer.from(`${JSON.stringify({ error: { code, status, message, requestId } })}\n`);
}
