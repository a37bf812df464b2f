/** Bits that say what a field is to a proxy; a field may have several. */
export const FIELD = {
  /** Ends at this hop: RFC 9110 §7.6.1 and every field that Connection names. */
  hopByHop: 1,
  host: 2,
  contentLength: 4,
  transferEncoding: 8,
  connection: 16,
  upgrade: 32,
  expect: 64,
  /** Forwarded, X-Forwarded-*, X-Real-IP: believed only from trusted peers. */
  forwarded: 128,
  /** The name holds `_`, which CGI-like backends cannot tell from `-`. */
  underscore: 256,
  te: 512,
  trailer: 1024,
} as const;

/** Framing and hop-by-hop: what a forwarded message must not inherit, since the engine writes its own. */
export const NOT_FORWARDED =
  FIELD.hopByHop | FIELD.contentLength | FIELD.transferEncoding | FIELD.connection | FIELD.upgrade;

/** Compares without regard to case; `lowerName` has to be lower case. */
export function nameEquals(bytes: Uint8Array, start: number, lowerName: string): boolean {
  for (let i = 0; i < lowerName.length; i++) {
    if (((bytes[start + i] as number) | 0x20) !== lowerName.charCodeAt(i)) return false;
  }
  return true;
}

/** The bits of a field's name, found by its length first. */
export function classifyName(bytes: Uint8Array, start: number, length: number): number {
  switch (length) {
    case 2:
      return nameEquals(bytes, start, 'te') ? FIELD.hopByHop | FIELD.te : 0;
    case 4:
      return nameEquals(bytes, start, 'host') ? FIELD.host : 0;
    case 6:
      return nameEquals(bytes, start, 'expect') ? FIELD.expect : 0;
    case 7:
      if (nameEquals(bytes, start, 'upgrade')) return FIELD.hopByHop | FIELD.upgrade;
      return nameEquals(bytes, start, 'trailer') ? FIELD.trailer : 0;
    case 9:
      return nameEquals(bytes, start, 'forwarded') || nameEquals(bytes, start, 'x-real-ip')
        ? FIELD.forwarded
        : 0;
    case 10:
      if (nameEquals(bytes, start, 'connection')) return FIELD.hopByHop | FIELD.connection;
      return nameEquals(bytes, start, 'keep-alive') ? FIELD.hopByHop : 0;
    case 14:
      if (nameEquals(bytes, start, 'content-length')) return FIELD.contentLength;
      // RFC 7540 §3.2.1, for the h2c that is not spoken here.
      if (nameEquals(bytes, start, 'http2-settings')) return FIELD.hopByHop;
      break;
    case 16:
      if (nameEquals(bytes, start, 'proxy-connection')) return FIELD.hopByHop;
      break;
    case 17:
      if (nameEquals(bytes, start, 'transfer-encoding')) {
        return FIELD.hopByHop | FIELD.transferEncoding;
      }
      break;
    case 18:
      if (nameEquals(bytes, start, 'proxy-authenticate')) return FIELD.hopByHop;
      break;
    case 19:
      if (nameEquals(bytes, start, 'proxy-authorization')) return FIELD.hopByHop;
      break;
  }
  if (length > 12 && nameEquals(bytes, start, 'x-forwarded-')) return FIELD.forwarded;
  return 0;
}

const PROTECTED_NAMES = new Set(
  `host content-length content-type content-encoding content-range transfer-encoding authorization cookie set-cookie
  forwarded x-real-ip x-request-id expect date cache-control via max-forwards traceparent tracestate origin referer
  location www-authenticate accept accept-encoding range vary etag`.split(/\s+/),
);

/** Whether a `Connection` header may never name this field: it is end-to-end, or others trust it. */
export function isProtectedName(lowerName: string): boolean {
  const name = lowerName.replaceAll('_', '-');
  return (
    PROTECTED_NAMES.has(name) || name.startsWith('x-forwarded-') || name.startsWith('x-portolan-')
  );
}
