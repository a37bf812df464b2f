import type { AccessRecord } from '../proxy/proxy-context.ts';

export interface AccessLogFormat {
  /** `common` is that of the NCSA, `combined` that of Apache with Referer and User-Agent. */
  readonly format: 'json' | 'common' | 'combined';
  /** Request headers to write as well, in lower case; JSON only. */
  readonly headers: readonly string[];
}

/** Makes the function that turns a record, and the wall-clock time of its end in milliseconds, into one line with its LF. */
export function accessRecordFormatter({
  format,
  headers,
}: AccessLogFormat): (record: AccessRecord, wallMs: number) => string {
  switch (format) {
    case 'json':
      return (record, wallMs) => `${JSON.stringify(toJson(record, wallMs, headers))}\n`;
    case 'common':
      return (record, wallMs) => `${commonLine(record, wallMs)}\n`;
    case 'combined':
      return (record, wallMs) => {
        const { head } = record;
        const last = `${quoted(head.get('referer'))} ${quoted(head.get('user-agent'))}`;
        return `${commonLine(record, wallMs)} ${last}\n`;
      };
  }
}

function toJson(record: AccessRecord, wallMs: number, headers: readonly string[]): object {
  const { head } = record;
  const more: Record<string, string> = Object.create(null);
  for (const name of headers) {
    const value = head.joined(name);
    if (value !== undefined) more[name] = value;
  }
  return {
    time: new Date(wallMs).toISOString(),
    requestId: record.requestId,
    client: record.peer,
    method: record.method,
    host: record.host,
    target: head.target,
    protocol: record.protocol,
    tls: record.secure,
    status: record.status,
    receivedBytes: record.receivedBytes,
    sentBytes: record.sentBytes,
    durationMs: Math.round(record.durationMs * 1_000) / 1_000,
    route: record.route,
    instance: record.endpoint?.id,
    endpoint: record.endpoint && toAuthority(record.endpoint),
    tries: record.tries,
    error: record.errorCode,
    referer: head.get('referer'),
    userAgent: head.get('user-agent'),
    ...(headers.length > 0 ? { headers: more } : {}),
  };
}

function toAuthority({
  address,
  port,
}: {
  readonly address: string;
  readonly port: number;
}): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function commonLine(
  { peer, method, protocol, status, sentBytes, head }: AccessRecord,
  wallMs: number,
): string {
  const request = quoted(`${method} ${head.target} ${protocol}`);
  return `${peer} - - [${commonTime(wallMs)}] ${request} ${status} ${sentBytes === 0 ? '-' : sentBytes}`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (value: number): string => String(value).padStart(2, '0');

/** `24/Nov/2026:08:31:00 +0000`: always UTC. */
function commonTime(wallMs: number): string {
  const date = new Date(wallMs);
  const day = `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]}/${date.getUTCFullYear()}`;
  return `${day}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`;
}

/** What clients send must not be able to end the field or the line, nor to reach a terminal as a control sequence. */
function quoted(text: string | undefined): string {
  if (text === undefined) return '"-"';
  const escaped = text.replace(
    /[^\x20-\x7e]|["\\]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
  return `"${escaped}"`;
}
