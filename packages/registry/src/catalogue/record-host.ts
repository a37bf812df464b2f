import { parseIpv4Value } from '@portolan/core';

/** An address as a record holds it: an IPv4 address as its 32 bits, signed, which is no object; any other as it is. */
export type RecordHost = number | string;

export function toHost(address: string): RecordHost {
  const bits = parseIpv4Value(address);
  return bits === undefined ? address : bits | 0;
}

/** The reverse of `toHost`. */
export function toAddress(host: RecordHost): string {
  if (typeof host === 'string') return host;
  return `${host >>> 24}.${(host >>> 16) & 0xff}.${(host >>> 8) & 0xff}.${host & 0xff}`;
}
