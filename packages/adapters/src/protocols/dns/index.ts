export { createDnsAdapter, type DnsDeps } from './dns-adapter.ts';
export { DEFAULT_DNS_OPTIONS, type DnsOptions } from './dns-options.ts';
