export { createDnsAdapter, type DnsDeps } from './dns-adapter.ts';
export type { DnsOptions } from './dns-options.ts';
