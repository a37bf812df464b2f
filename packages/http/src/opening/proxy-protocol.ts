import { formatIp, parseIp } from '@portolan/core';
import { type Opening, OpeningError } from './opening-error.ts';

/** Whose connection a proxy carries, as it says; undefined where it says nothing (`UNKNOWN`, `LOCAL`, other families). */
export interface ProxiedSource {
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly destinationAddress: string;
  readonly destinationPort: number;
}

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
/** The specification's bound of a version 1 line, its CRLF included. */
const MAX_LINE_BYTES = 107;
const HEAD_BYTES = 16;
/** Type-length-values are read over; more of them than this was not written by a proxy. */
const MAX_BODY_BYTES = 4_096;
/** No header is longer. */
export const MAX_PROXY_HEADER_BYTES = HEAD_BYTES + MAX_BODY_BYTES;

const PORT = /^(?:0|[1-9]\d{0,4})$/;

/**
 * Reads the header of either version of the PROXY protocol (haproxy.org/download/3.0/doc/proxy-protocol.txt); undefined while
 * bytes are missing. Throws an OpeningError for anything else, so that a client which skips the proxy is not taken for one.
 */
export function parseProxyHeader(bytes: Buffer): Opening<ProxiedSource | undefined> | undefined {
  if (bytes.length === 0) return undefined;
  return bytes[0] === 0x0d ? parseBinary(bytes) : parseText(bytes);
}

function parseText(bytes: Buffer): Opening<ProxiedSource | undefined> | undefined {
  const start = bytes.subarray(0, 6).toString('latin1');
  if (!'PROXY '.startsWith(start)) throw invalid('it begins with something else');
  const end = bytes.subarray(0, MAX_LINE_BYTES).indexOf('\r\n', 0, 'latin1');
  if (end < 0) {
    if (bytes.length >= MAX_LINE_BYTES) throw invalid('the line is too long');
    return undefined;
  }
  const line = bytes.toString('latin1', 0, end);
  const length = end + 2;
  // Whatever follows UNKNOWN is to be ignored.
  if (line === 'PROXY UNKNOWN' || line.startsWith('PROXY UNKNOWN ')) {
    return { value: undefined, length };
  }
  const [, family, source = '', destination = '', sourcePort = '', destinationPort = '', ...rest] =
    line.split(' ');
  const wanted = family === 'TCP4' ? 4 : family === 'TCP6' ? 6 : undefined;
  if (wanted === undefined || rest.length > 0) throw invalid('the line is malformed');
  return {
    value: {
      sourceAddress: addressOf(source, wanted),
      destinationAddress: addressOf(destination, wanted),
      sourcePort: portOf(sourcePort),
      destinationPort: portOf(destinationPort),
    },
    length,
  };
}

function addressOf(text: string, family: 4 | 6): string {
  const ip = parseIp(text);
  if (ip?.family !== family) throw invalid('an address is none of its family');
  return formatIp(ip);
}

function portOf(text: string): number {
  if (!PORT.test(text) || Number(text) > 65_535) throw invalid('a port is none');
  return Number(text);
}

function parseBinary(bytes: Buffer): Opening<ProxiedSource | undefined> | undefined {
  const known = Math.min(bytes.length, SIGNATURE.length);
  if (bytes.compare(SIGNATURE, 0, known, 0, known) !== 0) throw invalid('the signature is wrong');
  if (bytes.length < HEAD_BYTES) return undefined;
  const command = bytes.readUInt8(12);
  if (command >> 4 !== 2) throw invalid('the version is unknown');
  const bodyBytes = bytes.readUInt16BE(14);
  if (bodyBytes > MAX_BODY_BYTES) throw invalid('it is too long');
  const length = HEAD_BYTES + bodyBytes;
  if (bytes.length < length) return undefined;
  // LOCAL: the proxy speaks for itself, such as for a health check.
  if ((command & 0x0f) === 0) return { value: undefined, length };
  if ((command & 0x0f) !== 1) throw invalid('the command is unknown');
  const family = bytes.readUInt8(13);
  const addressBytes = family === 0x11 ? 4 : family === 0x21 ? 16 : undefined;
  // Datagrams and local sockets: accepted, and nothing is known of them.
  if (addressBytes === undefined) return { value: undefined, length };
  if (bodyBytes < 2 * addressBytes + 4) throw invalid('the addresses are cut short');
  const address = (at: number): string =>
    formatIp({
      family: addressBytes === 4 ? 4 : 6,
      bytes: [...bytes.subarray(at, at + addressBytes)],
    });
  const ports = HEAD_BYTES + 2 * addressBytes;
  return {
    value: {
      sourceAddress: address(HEAD_BYTES),
      destinationAddress: address(HEAD_BYTES + addressBytes),
      sourcePort: bytes.readUInt16BE(ports),
      destinationPort: bytes.readUInt16BE(ports + 2),
    },
    length,
  };
}

function invalid(why: string): OpeningError {
  return new OpeningError('PROXY_HEADER_INVALID', `The PROXY protocol's header is broken: ${why}`);
}
