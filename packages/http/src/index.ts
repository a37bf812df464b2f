export {
  ConnectionPool,
  type ConnectionPoolDeps,
  DEFAULT_POOL_LIMITS,
} from './client/connection-pool.ts';
export type { HostPool, PoolLimits } from './client/host-pool.ts';
export { proxyHeader } from './client/proxy-header.ts';
export { UpstreamError, type UpstreamErrorCode } from './client/upstream-error.ts';
export type { UpstreamExchange, UpstreamHandler } from './client/upstream-exchange.ts';
export {
  brokenTransport,
  createUpstreamTransport,
  PLAIN_HTTP_1,
  type ProxySource,
  type UpstreamTlsOptions,
  type UpstreamTransport,
  type UpstreamTransportOptions,
} from './client/upstream-transport.ts';
export { BodyDecoder } from './message/body-decoder.ts';
export {
  type CanonicalTarget,
  type CanonicalTargetPolicy,
  canonicalTarget,
} from './message/canonical-target.ts';
export { FIELD, NOT_FORWARDED } from './message/field-classes.ts';
export {
  type BodyFraming,
  CHUNKED,
  EMPTY_BODY,
  lengthFraming,
  NO_BODY,
  UNTIL_CLOSE,
} from './message/framing.ts';
export {
  fieldLine,
  fieldLines,
  isFieldValue,
  isToken,
  recordLines,
  statusLine,
} from './message/head-text.ts';
export { isValidHost, toHostName } from './message/host.ts';
export type { MessageFields } from './message/message-fields.ts';
export { type HeadLimits, parseRequestHead, type RequestHead } from './message/request-head.ts';
export { isBodiless, parseResponseHead, type ResponseHead } from './message/response-head.ts';
export { MAX_OPENING_BYTES, parseClientHello } from './opening/client-hello.ts';
export { OpeningError } from './opening/opening-error.ts';
export {
  MAX_PROXY_HEADER_BYTES,
  type ProxiedSource,
  parseProxyHeader,
} from './opening/proxy-protocol.ts';
export { readOpening } from './opening/read-opening.ts';
export {
  HttpProtocolError,
  PROTOCOL_ERRORS,
  type ProtocolErrorCode,
} from './protocol/protocol-error.ts';
export type { ClientCertificate, ConnectionFacts, TlsFacts } from './server/connection-facts.ts';
export { ExchangeBase } from './server/exchange-base.ts';
export {
  createHttpServer,
  type FaultReply,
  type HttpServer,
  type HttpServerDeps,
  type HttpServerOptions,
} from './server/http-server.ts';
export type {
  ExchangeHandler,
  ExchangeProtocol,
  ServerExchange,
} from './server/server-exchange.ts';
export { DEFAULT_SERVER_LIMITS, type HttpServerLimits } from './server/server-limits.ts';
export type { ListenTarget } from './server/shared-listeners.ts';
export {
  createTlsListener,
  type TlsListener,
  type TlsListenerOptions,
} from './server/tls-listener.ts';
export { TimerWheel, WheelTimer } from './time/timer-wheel.ts';
export { KeptPiece } from './transport/kept-piece.ts';
export { type TransportInUse, transportInUse } from './transport/native-sockets.ts';
