import type { DnsOptions } from '@portolan/adapters/dns';
import type { GrpcOptions } from '@portolan/adapters/grpc';
import type { PortolanConfig } from './schema.ts';

/** DNS in the adapter's words. */
export function compileDnsOptions({ dialects }: PortolanConfig): DnsOptions {
  const { listen, zone, aliases, datacenter, responsesPerSecond, ...dns } = dialects.dns;
  return {
    listen,
    zone,
    aliases,
    datacenter: datacenter.toLowerCase(),
    responsesPerSecond,
    ttlMs: dns.ttl,
    negativeTtlMs: dns.negativeTtl,
    udpPayloadBytes: dns.udpPayload,
    maxConnections: dns.connections,
    idleTimeoutMs: dns.idleTimeout,
  };
}

/** gRPC in the adapter's words. */
export function compileGrpcOptions({ dialects }: PortolanConfig): Partial<GrpcOptions> {
  const { listen, ...grpc } = dialects.grpc;
  return {
    listen,
    maxMessageBytes: grpc.message,
    maxConnections: grpc.connections,
    maxStreams: grpc.streams,
    maxWatchers: grpc.watchers,
    keepaliveMs: grpc.keepalive,
    idleTimeoutMs: grpc.idleTimeout,
  };
}
