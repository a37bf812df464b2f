import { type Cidr, cidrContains, parseCidr } from './cidr.ts';
import { formatIp, type IpAddress, parseIp, parseIpv4Value, unmapIp } from './ip-address.ts';

/** Verdict on dialling one resolved address. */
export type AddressVerdict =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly reason: string };

/**
 * Which addresses a registration may make us call. Checked at registration for IP literals and at every dial for
 * the resolved address. Cloud metadata, link-local, multicast and unspecified addresses and our own ports: never.
 * Loopback: only when configured. Else the configured networks.
 */
export interface AddressPolicy {
  /** `ip` is a literal; IPv4-mapped IPv6 is judged as the IPv4 address it carries. */
  check(ip: string, port: number): AddressVerdict;
}

/** A listener of ours. */
export interface OwnEndpoint {
  /** IP literal as bound; `0.0.0.0` and `::` stand for every local address. */
  readonly address: string;
  readonly port: number;
}

export interface AddressPolicyOptions {
  /** Networks that may be dialled; default `DEFAULT_ALLOWED_NETWORKS`. Never opens what is never allowed. */
  readonly allow?: readonly string[];
  readonly allowLoopback: boolean;
  readonly ownEndpoints: readonly OwnEndpoint[];
  /** Addresses of this machine now, asked only for a port that one of our listeners has on every address. */
  readonly localAddresses?: () => readonly string[];
}

/** Where containers and their hosts live: private, shared (RFC 6598) and unique local (RFC 4193) ranges. */
export const DEFAULT_ALLOWED_NETWORKS: readonly string[] = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  'fc00::/7',
];

const LOOPBACK = [network('127.0.0.0/8'), network('::1')];

const UNSPECIFIED = [network('0.0.0.0/8'), network('::')];

// First match names the reason, so the narrow ones stand first.
const NEVER: readonly { readonly cidr: Cidr; readonly reason: string }[] = [
  ...[
    '169.254.169.254',
    '169.254.170.2',
    '100.100.100.200',
    '192.0.0.192',
    'fd00:ec2::23',
    'fd00:ec2::254',
    'fd20:ce::254',
  ].map((text) => ({ cidr: network(text), reason: 'is a cloud metadata address' })),
  ...UNSPECIFIED.map((cidr) => ({ cidr, reason: 'names no host' })),
  { cidr: network('169.254.0.0/16'), reason: 'is link-local' },
  { cidr: network('fe80::/10'), reason: 'is link-local' },
  { cidr: network('255.255.255.255'), reason: 'is the broadcast address' },
  { cidr: network('224.0.0.0/4'), reason: 'is a multicast address' },
  { cidr: network('ff00::/8'), reason: 'is a multicast address' },
  { cidr: network('240.0.0.0/4'), reason: 'is reserved' },
];

// Forms of IPv6 that end at an IPv4 host, and the byte at which its address starts: NAT64 (RFC 6052), 6to4
// (RFC 3056), the deprecated IPv4-compatible form (RFC 4291 §2.5.5.1) and IPv4-translated (RFC 2765 §2.1).
const CARRIERS: readonly { readonly cidr: Cidr; readonly at: number }[] = [
  { cidr: network('64:ff9b::/96'), at: 12 },
  { cidr: network('2002::/16'), at: 2 },
  { cidr: network('::/96'), at: 12 },
  { cidr: network('::ffff:0:0:0/96'), at: 12 },
];

/** An IPv4 network as numbers: most addresses are judged once, when they are registered, so that has to be cheap. */
interface Ipv4Network {
  readonly base: number;
  readonly mask: number;
}

const LOOPBACK_IPV4 = ipv4Networks(LOOPBACK);
const NEVER_IPV4 = ipv4Networks(NEVER.map(({ cidr }) => cidr));

function ipv4Networks(cidrs: readonly Cidr[]): readonly Ipv4Network[] {
  return cidrs.flatMap(({ base, prefixLength }) => {
    if (base.family !== 4) return [];
    const mask = prefixLength === 0 ? 0 : (-1 << (32 - prefixLength)) >>> 0;
    const [a = 0, b = 0, c = 0, d = 0] = base.bytes;
    return [{ base: ((a << 24) | (b << 16) | (c << 8) | d) >>> 0, mask }];
  });
}

function holdsIpv4(networks: readonly Ipv4Network[], address: number): boolean {
  for (const { base, mask } of networks) if ((address & mask) >>> 0 === base) return true;
  return false;
}

function network(text: string): Cidr {
  const cidr = parseCidr(text);
  if (!cidr) throw new RangeError(`"${text}" is not a network such as 10.0.0.0/8`);
  return cidr;
}

/** Makes the policy. Throws a RangeError that names the first `allow` or `ownEndpoints` entry it cannot read. */
export function createAddressPolicy(options: AddressPolicyOptions): AddressPolicy {
  const allow = (options.allow ?? DEFAULT_ALLOWED_NETWORKS).map(network);
  const allowIpv4 = ipv4Networks(allow);
  const own = options.ownEndpoints.map(({ address, port }) => {
    const parsed = parseIp(address);
    if (!parsed) throw new RangeError(`"${address}" is not an IP address`);
    const ip = unmapIp(parsed);
    return { ip, port, everywhere: isIn(UNSPECIFIED, ip), loopback: isIn(LOOPBACK, ip) };
  });

  function isOwn(ip: IpAddress, port: number, loopback: boolean): boolean {
    return own.some((endpoint) => {
      if (endpoint.port !== port) return false;
      // Whole of 127.0.0.0/8 is this machine: a listener on any of it is refused on all of it.
      if (loopback && (endpoint.everywhere || endpoint.loopback)) return true;
      if (!endpoint.everywhere) return isSame(endpoint.ip, ip);
      return (options.localAddresses?.() ?? []).some((text) => {
        const local = parseIp(text);
        return local !== undefined && isSame(unmapIp(local), ip);
      });
    });
  }

  /** What of the verdict goes by the address alone: asked for every request, and always the same. */
  const judged = new Map<string, JudgedAddress | undefined>();

  function judge(text: string): JudgedAddress | undefined {
    const known = judged.get(text);
    if (known || judged.has(text)) return known;
    const parsed = parseIp(text);
    const made = parsed && judgeAddress(toJudged(parsed));
    if (judged.size >= MAX_JUDGED) judged.clear();
    judged.set(text, made);
    return made;
  }

  function judgeAddress(ip: IpAddress): JudgedAddress {
    const loopback = isIn(LOOPBACK, ip);
    const never = NEVER.find(({ cidr }) => cidrContains(cidr, ip));
    const forbidden = never && refuse(`${formatIp(ip)} ${never.reason}, which is never dialled`);
    let elsewhere: AddressVerdict = ALLOWED;
    if (loopback && !options.allowLoopback) {
      elsewhere = refuse(`${formatIp(ip)} is a loopback address, which is not allowed here`);
    } else if (!loopback && !isIn(allow, ip)) {
      elsewhere = refuse(`${formatIp(ip)} is in no allowed network`);
    }
    return { ip, loopback, forbidden, elsewhere };
  }

  /** Whether an address may be dialled at this port, found out without an object; false where it has to be looked at more closely. */
  function isPlainlyAllowed(text: string, port: number): boolean {
    const value = parseIpv4Value(text);
    if (value === undefined || !Number.isInteger(port) || port < 1 || port > 65_535) {
      return false;
    }
    if (holdsIpv4(NEVER_IPV4, value)) return false;
    const loopback = holdsIpv4(LOOPBACK_IPV4, value);
    if (loopback ? !options.allowLoopback : !holdsIpv4(allowIpv4, value)) return false;
    for (const endpoint of own) if (endpoint.port === port) return false;
    return true;
  }

  return {
    check(text, port) {
      if (isPlainlyAllowed(text, port)) return ALLOWED;
      const address = judge(text);
      if (!address) return refuse(`"${text.slice(0, 64)}" is not an IP address`);
      if (!Number.isInteger(port) || port < 1 || port > 65_535) {
        return refuse(`${port} is not a port from 1 to 65535`);
      }
      if (address.forbidden) return address.forbidden;
      if (isOwn(address.ip, port, address.loopback)) {
        return refuse(`${formatIp(address.ip)}:${port} is a listener of our own`);
      }
      return address.elsewhere;
    },
  };
}

/** Addresses whose judgement is remembered. */
const MAX_JUDGED = 16_384;

interface JudgedAddress {
  readonly ip: IpAddress;
  readonly loopback: boolean;
  /** Whatever the port. */
  readonly forbidden: AddressVerdict | undefined;
  /** At a port that is not ours. */
  readonly elsewhere: AddressVerdict;
}

const ALLOWED: AddressVerdict = { allowed: true };

function refuse(reason: string): AddressVerdict {
  return { allowed: false, reason };
}

/** The address where the connection would end. */
function toJudged(parsed: IpAddress): IpAddress {
  const ip = unmapIp(parsed);
  // `::` and `::1` are inside ::/96 but carry no IPv4 address.
  if (ip.family === 4 || isIn(UNSPECIFIED, ip) || isIn(LOOPBACK, ip)) return ip;
  const carrier = CARRIERS.find(({ cidr }) => cidrContains(cidr, ip));
  return carrier ? { family: 4, bytes: ip.bytes.slice(carrier.at, carrier.at + 4) } : ip;
}

function isIn(networks: readonly Cidr[], ip: IpAddress): boolean {
  return networks.some((cidr) => cidrContains(cidr, ip));
}

function isSame(a: IpAddress, b: IpAddress): boolean {
  return a.family === b.family && a.bytes.every((byte, at) => byte === b.bytes[at]);
}
