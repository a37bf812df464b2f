import { isIP } from 'node:net';
import { DURATION_EXPECTED, parseCidr, parseDuration } from '@portolan/core';
import { z } from 'zod';

/** Host and port to listen at; IPv6 without brackets. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const ENGINE_EXPECTED = 'auto, off, unix:///PATH, tcp://HOST:PORT or https://HOST:PORT';
const LISTEN_EXPECTED =
  'HOST:PORT such as "127.0.0.1:8500", "[::1]:8500" or ":8500" for every address';

/** `127.0.0.1:8500`, `[::1]:8500`, `localhost:8500`, `:8500` (every address); port 0 asks for a free one. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]*)):(\d{1,5})$/.exec(text);
  if (!match) return undefined;
  const [, ipv6, name] = match;
  const port = Number(match[3]);
  if (port > 65_535 || (ipv6 !== undefined && isIP(ipv6) !== 6)) return undefined;
  return { host: ipv6 ?? (name === '' || name === undefined ? '::' : name), port };
}

/** `127.0.0.1:8500`, `[::1]:8500`: the authority as it stands in a URL. */
export function formatListenAddress(address: ListenAddress): string {
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kib: 1024,
  kb: 1000,
  mib: 1024 ** 2,
  mb: 1000 ** 2,
  gib: 1024 ** 3,
  gb: 1000 ** 3,
};

/** Whole bytes from `"64KiB"`, `"1MB"` or a number of bytes. */
export function parseSize(value: string | number): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-zA-Z]*)$/.exec(String(value));
  const unit = SIZE_UNITS[match?.[2]?.toLowerCase() ?? '-'];
  if (!match || unit === undefined) return undefined;
  const bytes = Math.round(Number(match[1]) * unit);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** A schema for text that `parse` understands. */
function parsed<T>(parse: (text: string) => T | undefined, expected: string) {
  return z.string({ error: `expected ${expected}` }).transform((text, context): T => {
    const value = parse(text);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: `expected ${expected}` });
    return z.NEVER;
  });
}

export const listenAddress = parsed(parseListenAddress, LISTEN_EXPECTED);

export const network = parsed(
  (text) => (parseCidr(text) ? text : undefined),
  'an IP network such as "10.0.0.0/8" (no bits set behind the prefix) or an address',
);

export const httpUrl = parsed((text) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url && /^https?:$/.test(url.protocol) ? url.href.replace(/\/$/, '') : undefined;
}, 'a URL such as "http://127.0.0.1:8500"');

/** A Docker Engine: `auto`, or where it answers; undefined: none. */
export const dockerEngine = z
  .union([z.string(), z.boolean()], { error: `expected ${ENGINE_EXPECTED}` })
  .transform((value, context): string | undefined => {
    const text = String(value).trim();
    if (/^(?:auto|true|1|yes|on)$/i.test(text)) return 'auto';
    if (/^(?:false|0|no|off)$/i.test(text)) return undefined;
    if (/^(?:unix:\/\/)?\/.+$|^(?:tcp|https?):\/\/[^/\s]+\/?$/.test(text)) return text;
    context.addIssue({ code: 'custom', message: `expected ${ENGINE_EXPECTED}` });
    return z.NEVER;
  });

/** A duration in the file, milliseconds afterwards. */
export function duration(limits: { readonly atLeastMs?: number } = {}) {
  const atLeastMs = limits.atLeastMs ?? 0;
  return z
    .union([z.string(), z.number()], { error: `expected ${DURATION_EXPECTED}` })
    .transform((value, context): number => {
      const ms = parseDuration(value);
      if (ms !== undefined && ms >= atLeastMs) return ms;
      const least = atLeastMs > 1 ? `, at least ${atLeastMs}ms` : '';
      context.addIssue({ code: 'custom', message: `expected ${DURATION_EXPECTED}${least}` });
      return z.NEVER;
    });
}

/** A size in the file, bytes afterwards. */
export function size(limits: { readonly atLeastBytes: number; readonly atMostBytes: number }) {
  const expected = `expected a size such as "64KiB" or a number of bytes, from ${limits.atLeastBytes} to ${limits.atMostBytes} bytes`;
  return z.union([z.string(), z.number()], { error: expected }).transform((value, context) => {
    const bytes = parseSize(value);
    if (bytes !== undefined && bytes >= limits.atLeastBytes && bytes <= limits.atMostBytes) {
      return bytes;
    }
    context.addIssue({ code: 'custom', message: expected });
    return z.NEVER;
  });
}

export function count(from: number, to: number) {
  const error = `expected a whole number from ${from} to ${to}`;
  return z.number({ error }).int({ error }).min(from, { error }).max(to, { error });
}

export function share() {
  const error = 'expected a share from 0 to 1';
  return z.number({ error }).min(0, { error }).max(1, { error });
}
