import { type IpAddress, parseIp, unmapIp } from './ip-address.ts';

/** A network: the addresses whose first `prefixLength` bits equal those of `base`. */
export interface Cidr {
  readonly base: IpAddress;
  readonly prefixLength: number;
}

const PREFIX_LENGTH = /^(?:0|[1-9]\d{0,2})$/;

/**
 * Parses `10.0.0.0/8`, or a plain address as a network of one. Undefined when it is neither, or when bits behind the
 * prefix are set: `10.0.0.1/8` may mean one address or sixteen million, and nobody should have to guess which.
 */
export function parseCidr(text: string): Cidr | undefined {
  const [address = '', length, ...rest] = text.split('/');
  if (rest.length > 0) return undefined;
  const parsed = parseIp(address);
  if (!parsed) return undefined;
  const bits = parsed.bytes.length * 8;
  if (length !== undefined && !PREFIX_LENGTH.test(length)) return undefined;
  const prefixLength = length === undefined ? bits : Number(length);
  if (prefixLength > bits) return undefined;
  const base = unmapIp(parsed);
  const cidr = { base, prefixLength: prefixLength - (bits - base.bytes.length * 8) };
  // A mapped network wider than /96 would reach beyond the addresses that carry IPv4.
  if (cidr.prefixLength < 0) return undefined;
  return hasHostBits(cidr) ? undefined : cidr;
}

function hasHostBits({ base, prefixLength }: Cidr): boolean {
  return base.bytes.some((byte, at) => (byte & ~maskAt(at, prefixLength) & 0xff) !== 0);
}

function maskAt(byteIndex: number, prefixLength: number): number {
  const bits = Math.min(8, Math.max(0, prefixLength - byteIndex * 8));
  return (0xff << (8 - bits)) & 0xff;
}

/** Whether the network holds the address. Families never match each other. */
export function cidrContains(cidr: Cidr, ip: IpAddress): boolean {
  if (cidr.base.family !== ip.family) return false;
  for (let at = 0; at * 8 < cidr.prefixLength; at++) {
    const difference = (cidr.base.bytes[at] ?? 0) ^ (ip.bytes[at] ?? 0);
    if ((difference & maskAt(at, cidr.prefixLength)) !== 0) return false;
  }
  return true;
}

/**
 * Whether any of the networks holds the address, given as a socket shows it: an IPv4-mapped address counts as the
 * IPv4 address it carries. False for what is not an IP literal.
 */
export function matchesCidr(address: string, cidrs: readonly Cidr[]): boolean {
  const parsed = parseIp(address);
  if (!parsed) return false;
  const ip = unmapIp(parsed);
  return cidrs.some((cidr) => cidrContains(cidr, ip));
}
