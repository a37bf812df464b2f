/** A parsed IP literal: 4 bytes for IPv4, 16 for IPv6, in network order. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly bytes: readonly number[];
}

const HEX_GROUP = /^[0-9a-fA-F]{1,4}$/;

/**
 * Parses an IP literal strictly; undefined for anything else. The forms that resolvers understand and people do not
 * (`127.1`, `0177.0.0.1`, `0x7f.1`, `2130706433`), zone ids, brackets, ports and spaces are all refused, so that what
 * was judged is what is dialled.
 */
export function parseIp(text: string): IpAddress | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): IpAddress | undefined {
  const bytes = parseOctets(text);
  return bytes && { family: 4, bytes };
}

function parseOctets(text: string): number[] | undefined {
  const value = parseIpv4Value(text);
  if (value === undefined) return undefined;
  return [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}

const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;

/** The 32 bits of an IPv4 literal, unsigned, by the rules of `parseIp`; undefined for anything else. */
export function parseIpv4Value(text: string): number | undefined {
  const { length } = text;
  // Longest form is 255.255.255.255.
  if (length > 15) return undefined;
  let value = 0;
  let octets = 0;
  let octet = 0;
  let digits = 0;
  for (let at = 0; at <= length; at++) {
    const code = at === length ? DOT : text.charCodeAt(at);
    if (code === DOT) {
      if (digits === 0 || octet > 255) return undefined;
      value = (value << 8) | octet;
      octets++;
      octet = 0;
      digits = 0;
    } else if (code < ZERO || code > NINE) {
      return undefined;
    } else {
      // A leading zero means octal to inet_aton and decimal to others.
      if (digits > 0 && octet === 0) return undefined;
      octet = octet * 10 + (code - ZERO);
      digits++;
    }
  }
  return octets === 4 ? value >>> 0 : undefined;
}

function parseIpv6(text: string): IpAddress | undefined {
  // Longest form is eight groups of which the last two are dotted decimal.
  if (text.length > 45) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [headText = '', tailText] = halves;
  const compressed = tailText !== undefined;
  const head = parseGroups(headText, !compressed);
  const tail = compressed ? parseGroups(tailText, true) : [];
  if (!head || !tail) return undefined;
  const missing = 16 - head.length - tail.length;
  // RFC 4291 §2.2: "::" stands for one or more groups of zeros.
  if (compressed ? missing < 2 : missing !== 0) return undefined;
  return { family: 6, bytes: [...head, ...new Array<number>(missing).fill(0), ...tail] };
}

function parseGroups(text: string, mayEndDotted: boolean): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const bytes: number[] = [];
  for (const [index, part] of parts.entries()) {
    if (part.includes('.')) {
      const octets = mayEndDotted && index === parts.length - 1 ? parseOctets(part) : undefined;
      if (!octets) return undefined;
      bytes.push(...octets);
    } else {
      if (!HEX_GROUP.test(part)) return undefined;
      const group = Number.parseInt(part, 16);
      bytes.push(group >> 8, group & 0xff);
    }
  }
  return bytes;
}

/** The canonical text of an address (RFC 5952), with IPv4-mapped addresses in mixed notation. */
export function formatIp(ip: IpAddress): string {
  if (ip.family === 4) return ip.bytes.join('.');
  if (isIpv4Mapped(ip)) return `::ffff:${ip.bytes.slice(12).join('.')}`;
  const groups: number[] = [];
  for (let at = 0; at < 16; at += 2) groups.push(byteAt(ip, at) * 256 + byteAt(ip, at + 1));
  const run = longestZeroRun(groups);
  const hex = groups.map((group) => group.toString(16));
  if (!run) return hex.join(':');
  return `${hex.slice(0, run.start).join(':')}::${hex.slice(run.start + run.length).join(':')}`;
}

/** RFC 5952 §4.2: the longest run of at least two zero groups is shortened, the first among equals. */
function longestZeroRun(
  groups: readonly number[],
): { readonly start: number; readonly length: number } | undefined {
  let best: { start: number; length: number } | undefined;
  let start = 0;
  for (let at = 0; at <= groups.length; at++) {
    if (groups[at] === 0) continue;
    const length = at - start;
    if (length >= 2 && length > (best?.length ?? 0)) best = { start, length };
    start = at + 1;
  }
  return best;
}

/** Whether it is an IPv4 address as a dual-stack socket shows it, `::ffff:a.b.c.d`. */
export function isIpv4Mapped(ip: IpAddress): boolean {
  return (
    ip.family === 6 &&
    ip.bytes.every((byte, at) => (at < 10 ? byte === 0 : at < 12 ? byte === 0xff : true))
  );
}

/** An IPv4-mapped address as the IPv4 address that it is; any other as itself. */
export function unmapIp(ip: IpAddress): IpAddress {
  return isIpv4Mapped(ip) ? { family: 4, bytes: ip.bytes.slice(12) } : ip;
}

function byteAt(ip: IpAddress, at: number): number {
  return ip.bytes[at] ?? 0;
}

/** Whether an address as registered is a host name: anything that is not written like an IP address. */
export function isHostName(address: string): boolean {
  return !/^[\d.]+$|:/.test(address);
}
