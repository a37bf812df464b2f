import type { DnsOptions } from '@portolan/adapters/dns';
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
