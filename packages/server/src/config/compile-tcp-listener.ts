import type { TcpListenerOptions } from '@portolan/gateway';
import type { CarriedListenerConfig } from './listener-schema.ts';

/** A listener of `gateway.listeners` in the gateway's own words. */
export function compileTcpListener(listener: CarriedListenerConfig): TcpListenerOptions {
  const { proxyProtocolFrom, proxyProtocol } = listener;
  return {
    name: listener.name,
    to: listener.protocol === 'tcp' ? listener.service : listener.routes,
    maxConnections: listener.connections,
    idleTimeoutMs: listener.idleTimeout,
    ...(proxyProtocolFrom === undefined ? {} : { proxyProtocolFrom }),
    ...(proxyProtocol === undefined ? {} : { sendsProxyProtocol: proxyProtocol }),
  };
}
