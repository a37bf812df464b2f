import type { HttpProbeConfig } from '@portolan/core';

/** A check's request, ready to be written. */
export interface HttpProbeRequest {
  readonly secure: boolean;
  /** Name or IP literal without brackets. */
  readonly host: string;
  readonly port: number;
  readonly bytes: string;
}

// Framing and connection are ours to say; anything else would let a registration desynchronise what is asked.
const OWN_FIELDS = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// RFC 9110 §5.5: visible characters, and spaces or tabs between them.
const FIELD_VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
const HEAD_LIMIT = 8_192;

/** Builds the request, or says in words for people why it cannot be sent. */
export function toHttpProbeRequest(
  config: HttpProbeConfig,
  options: { readonly allowHostHeader: boolean },
): HttpProbeRequest | string {
  const url = URL.canParse(config.url) ? new URL(config.url) : undefined;
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    return 'the URL of the check is not an absolute http or https URL';
  }
  if (url.username !== '' || url.password !== '') return 'the URL of the check holds credentials';
  const secure = url.protocol === 'https:';
  const fields = new Map<string, string>([
    ['host', url.host],
    ['user-agent', 'portolan-health-check'],
    ['accept', '*/*'],
  ]);
  for (const [name, value] of Object.entries(config.headers)) {
    const field = name.toLowerCase();
    if (!FIELD_NAME.test(name)) return 'a header name of the check is not a token';
    if (OWN_FIELDS.has(field)) return `the header ${field} of the check may not be set`;
    if (field === 'host' && !options.allowHostHeader) {
      return 'the header host of the check may not be set: use a name in its URL';
    }
    if (!FIELD_VALUE.test(value))
      return `the value of the header ${field} of the check is not valid`;
    fields.set(field, value);
  }
  if (config.method === 'POST') fields.set('content-length', '0');
  const lines = [...fields].map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const bytes = `${config.method} ${url.pathname}${url.search} HTTP/1.1\r\n${lines}connection: close\r\n\r\n`;
  if (bytes.length > HEAD_LIMIT) return 'the URL and headers of the check are too long';
  return {
    secure,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    bytes,
  };
}
