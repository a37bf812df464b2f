import { type Cidr, matchesCidr, parseCidr } from '@portolan/core';

const MEMO_LIMIT = 4_096;

/** One remote address as the forwarded headers need it. */
export interface Peer {
  /** IPv4-mapped IPv6 written as IPv4. */
  readonly ip: string;
  readonly trusted: boolean;
  /** `for=` value of Forwarded (RFC 7239 §6: IPv6 in brackets and quotes). */
  readonly forwardedFor: string;
}

/** An IPv4-mapped IPv6 address as IPv4, any other as it is. */
export function plainIp(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

/** Looks up peers; remembers a bounded number of them. Throws `RangeError` for a CIDR that is none. */
export function createPeers(trustedProxies: readonly string[]): (address: string) => Peer {
  const cidrs: Cidr[] = trustedProxies.map((text) => {
    const cidr = parseCidr(text);
    if (!cidr) throw new RangeError(`trustedProxies: "${text}" is not an address or a CIDR`);
    return cidr;
  });
  const memo = new Map<string, Peer>();
  return (address) => {
    let peer = memo.get(address);
    if (!peer) {
      const ip = plainIp(address);
      peer = {
        ip,
        trusted: matchesCidr(ip, cidrs),
        forwardedFor: ip.includes(':') ? `"[${ip}]"` : ip,
      };
      if (memo.size >= MEMO_LIMIT) memo.clear();
      memo.set(address, peer);
    }
    return peer;
  };
}
