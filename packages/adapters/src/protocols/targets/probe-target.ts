import { isIP } from 'node:net';

// RFC 1123 §2.1, with the underscore that container networks use; never all digits at the end (that is an IP literal).
const HOST_NAME =
  /^(?=.{1,253}$)(?!.*\.?\d+$)[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?)*$/;
const PLAIN_HOST_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const CONTROL = /[\u0000-\u001f\u007f]/;
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
export const HEADER_VALUE = /^[^\u0000-\u001f\u007f-\uffff]{0,1024}$/;
const FRAMING_HEADERS = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** `[::1]` is written in URLs; a registration's address is the literal itself. */
export function withoutBrackets(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}

export function isHost(text: string): boolean {
  // A zone (`fe80::1%eth0`) means something on one machine only.
  return (isIP(text) !== 0 && !text.includes('%')) || isHostName(text);
}

function isHostName(text: string): boolean {
  if (PLAIN_HOST_NAME.test(text)) return !/^\d+$/.test(text);
  return HOST_NAME.test(text) && !/(^|\.)\d+$/.test(text);
}

/** `host:port`, with brackets around IPv6; undefined when it is anything else. */
export function parseHostPort(text: string): { host: string; port: number } | undefined {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]]+):(\d{1,5})$/.exec(text);
  const host = withoutBrackets(match?.[1] ?? '');
  const port = Number(match?.[2]);
  return match && isHost(host) && port >= 1 && port <= 65_535 ? { host, port } : undefined;
}

/** An absolute http or https URL without credentials and fragment. */
export function isPlainHttpUrl(text: string): boolean {
  if (text.length > 2_048 || CONTROL.test(text) || text.includes('#')) return false;
  const url = URL.parse(text);
  return (
    url !== null &&
    (url.protocol === 'http:' || url.protocol === 'https:') &&
    url.username === '' &&
    url.password === ''
  );
}

/** `host:port` or `host:port/service`. */
export function parseGrpcTarget(text: string) {
  const slash = text.indexOf('/');
  const target = parseHostPort(slash < 0 ? text : text.slice(0, slash));
  const service = slash < 0 ? '' : text.slice(slash + 1);
  return target && /^[A-Za-z0-9._/-]{0,256}$/.test(service) ? { ...target, service } : undefined;
}

/** Whether a probe may send a header of this name: one that does not frame the message. */
export function isProbeHeader(name: string): boolean {
  return HEADER_NAME.test(name) && !FRAMING_HEADERS.has(name.toLowerCase());
}
