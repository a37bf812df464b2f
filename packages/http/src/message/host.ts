import { isIPv6 } from 'node:net';
import { UNRESERVED } from '../protocol/byte-classes.ts';

/**
 * Whether this is a host with an optional port. Narrower than RFC 3986's reg-name on purpose: no percent-encoding and no
 * sub-delimiters, which no host has and which virtual-host tables disagree about.
 */
export function isValidHost(host: string): boolean {
  if (host === lastValidHost && host !== '') return true;
  const valid = checkHost(host);
  if (valid) lastValidHost = host;
  return valid;
}

// Clients of one listener mostly ask for the same host over and over.
let lastValidHost = '';
let lastHost = '';
let lastHostName = '';

function checkHost(host: string): boolean {
  if (host.charCodeAt(0) === 0x5b) {
    const close = host.indexOf(']');
    if (close < 0 || host.includes('%') || !isIPv6(host.slice(1, close))) return false;
    return close === host.length - 1 || isValidPort(host, close + 1);
  }
  for (let at = 0; at < host.length; at++) {
    const code = host.charCodeAt(at);
    if (code === 0x3a) return at > 0 && isValidPort(host, at);
    if (code > 0x7f || UNRESERVED[code] !== 1) return false;
  }
  return host.length > 0 && host.length <= 255;
}

/** `at` is the colon's place. */
function isValidPort(host: string, at: number): boolean {
  if (host.charCodeAt(at) !== 0x3a) return false;
  const digits = host.length - at - 1;
  if (digits < 1 || digits > 5) return false;
  let port = 0;
  for (let i = at + 1; i < host.length; i++) {
    const digit = host.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
  }
  return port <= 65_535;
}

/** Lower case, without port and without the root's dot. */
export function toHostName(host: string): string {
  if (host !== lastHost) {
    lastHostName = cutHostName(host);
    lastHost = host;
  }
  return lastHostName;
}

function cutHostName(host: string): string {
  let end = host.length;
  const colon = host.lastIndexOf(':');
  if (colon >= 0 && host.indexOf(']', colon) < 0) end = colon;
  if (end > 0 && host.charCodeAt(end - 1) === 0x2e) end--;
  return host.slice(0, end).toLowerCase();
}
