import type { Counter, Metrics } from '@portolan/core';
import type { Rcode } from './dns-answer.ts';

export type DnsTransport = 'udp' | 'tcp';

export interface DnsMetrics {
  replied(transport: DnsTransport, rcode: Rcode): void;
  unanswered(reason: 'malformed' | 'rate' | 'overload'): void;
}

export function measureDns(metrics: Metrics): DnsMetrics {
  const replies = metrics.counter({
    name: 'portolan_dns_replies_total',
    help: 'Answers to DNS questions.',
    labelNames: ['transport', 'rcode'],
  });
  const unanswered = metrics.counter({
    name: 'portolan_dns_unanswered_total',
    help: 'DNS messages that got no answer, or over the limit of their source only the wish that it come over TCP.',
    labelNames: ['reason'],
  });
  const children = new Map<string, Counter>();
  const child = (key: string, make: () => Counter): Counter => {
    const kept = children.get(key) ?? make();
    children.set(key, kept);
    return kept;
  };
  return {
    replied: (transport, rcode) =>
      child(`${transport} ${rcode}`, () => replies.labels(transport, rcode)).inc(),
    unanswered: (reason) => child(reason, () => unanswered.labels(reason)).inc(),
  };
}
