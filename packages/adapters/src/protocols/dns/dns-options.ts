import type { SocketAddress } from '@portolan/core';

export interface DnsOptions {
  readonly listen: SocketAddress;
  /** The zone that answers name, in lower case and without a dot at the end. */
  readonly zone: string;
  /** More zones with the same content. In these the label of the data centre may stand where the namespace does. */
  readonly aliases: readonly string[];
  /** What clients of Consul may write behind `service`; it changes nothing. */
  readonly datacenter: string;
  readonly ttlMs: number;
  /** How long a resolver may remember that there is nothing. */
  readonly negativeTtlMs: number;
  /** Largest answer over UDP, whatever the asker could take. */
  readonly udpPayloadBytes: number;
  /** Answers over UDP to one source in a second; 0: no limit. */
  readonly responsesPerSecond: number;
  readonly maxConnections: number;
  /** How long a connection may take for its next question. */
  readonly idleTimeoutMs: number;
}

export const DEFAULT_DNS_OPTIONS: DnsOptions = {
  listen: { host: '127.0.0.1', port: 8600 },
  zone: 'portolan',
  aliases: ['consul'],
  datacenter: 'dc1',
  ttlMs: 0,
  negativeTtlMs: 1_000,
  udpPayloadBytes: 1_232,
  responsesPerSecond: 1_000,
  maxConnections: 1_000,
  idleTimeoutMs: 10_000,
};
