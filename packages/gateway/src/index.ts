export { type AccessLogFormat, accessRecordFormatter } from './access-log/format-access-record.ts';
export { createGateway } from './gateway.ts';
export type { Gateway, GatewayDeps, GatewayStats } from './gateway-api.ts';
export { DEFAULT_PROXY_LIMITS, type GatewayOptions } from './gateway-options.ts';
export { GATEWAY_ERRORS, type GatewayErrorCode } from './proxy/gateway-errors.ts';
export type { AccessRecord, ProxyLimits } from './proxy/proxy-context.ts';
export type { TcpListenerOptions } from './tcp/tcp-listeners.ts';
export type { EndpointResolverOptions, Resolve } from './upstream/endpoint-resolver.ts';
