import { isIPv4, isIPv6 } from 'node:net';
import type { ProxySource } from './upstream-transport.ts';

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const VERSION_2_LOCAL = 0x20;
const VERSION_2_PROXY = 0x21;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;

/**
 * The PROXY protocol's header (haproxy.org/download/3.0/doc/proxy-protocol.txt). Without a source, or with addresses of two
 * families, it says that there is nothing to tell.
 */
export function proxyHeader(version: 1 | 2, source: ProxySource | undefined): Buffer {
  return version === 1 ? textHeader(source) : binaryHeader(source);
}

function textHeader(source: ProxySource | undefined): Buffer {
  const family = source === undefined ? undefined : commonFamily(source);
  if (source === undefined || family === undefined) return Buffer.from('PROXY UNKNOWN\r\n');
  const { sourceAddress, destinationAddress, sourcePort, destinationPort } = source;
  const addresses = `${withoutZone(sourceAddress)} ${withoutZone(destinationAddress)}`;
  return Buffer.from(`PROXY TCP${family} ${addresses} ${sourcePort} ${destinationPort}\r\n`);
}

function binaryHeader(source: ProxySource | undefined): Buffer {
  const family = source === undefined ? undefined : commonFamily(source);
  if (source === undefined || family === undefined) {
    return Buffer.concat([SIGNATURE, Buffer.from([VERSION_2_LOCAL, 0, 0, 0])]);
  }
  const toBytes = family === 4 ? ipv4Bytes : ipv6Bytes;
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(source.sourcePort, 0);
  ports.writeUInt16BE(source.destinationPort, 2);
  const body = Buffer.concat([
    toBytes(withoutZone(source.sourceAddress)),
    toBytes(withoutZone(source.destinationAddress)),
    ports,
  ]);
  const head = Buffer.from([
    VERSION_2_PROXY,
    family === 4 ? TCP_OVER_IPV4 : TCP_OVER_IPV6,
    0,
    body.length,
  ]);
  return Buffer.concat([SIGNATURE, head, body]);
}

function commonFamily(source: ProxySource): 4 | 6 | undefined {
  const from = withoutZone(source.sourceAddress);
  const to = withoutZone(source.destinationAddress);
  if (isIPv4(from) && isIPv4(to)) return 4;
  return isIPv6(from) && isIPv6(to) ? 6 : undefined;
}

function withoutZone(address: string): string {
  const zone = address.indexOf('%');
  return zone < 0 ? address : address.slice(0, zone);
}

function ipv4Bytes(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}

function ipv6Bytes(address: string): Buffer {
  const bytes = Buffer.alloc(16);
  const lastColon = address.lastIndexOf(':');
  const tail = address.slice(lastColon + 1);
  // An IPv4 address in the last place stands for two groups.
  const text = tail.includes('.')
    ? `${address.slice(0, lastColon + 1)}${ipv4Bytes(tail).readUInt16BE(0).toString(16)}:${ipv4Bytes(tail).readUInt16BE(2).toString(16)}`
    : address;
  const [left = '', right] = text.split('::');
  const leading = left === '' ? [] : left.split(':');
  const trailing = right === undefined || right === '' ? [] : right.split(':');
  leading.forEach((group, at) => {
    bytes.writeUInt16BE(Number.parseInt(group, 16), at * 2);
  });
  trailing.forEach((group, at) => {
    bytes.writeUInt16BE(Number.parseInt(group, 16), 16 - (trailing.length - at) * 2);
  });
  return bytes;
}
