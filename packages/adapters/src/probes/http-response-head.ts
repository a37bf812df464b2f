/** What a probe wants to know of a response's head. */
export interface HttpResponseHead {
  readonly status: number;
  readonly framing: 'none' | 'length' | 'chunked' | 'close';
  /** Present with framing `length`. */
  readonly lengthBytes?: number;
}

const STATUS_LINE = /^HTTP\/1\.[01] ([1-9]\d\d)(?: .*)?$/;
const FIELD_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/;
const LENGTH = /^\d{1,15}$/;

/** Reads a head, without its final empty line; undefined when it is not HTTP/1.x or its framing is faulty. */
export function parseHttpResponseHead(text: string, method: string): HttpResponseHead | undefined {
  const [statusLine = '', ...lines] = text.split('\r\n');
  const status = Number(STATUS_LINE.exec(statusLine)?.[1] ?? 0);
  if (status === 0) return undefined;
  let length: string | undefined;
  let coding: string | undefined;
  for (const line of lines) {
    const [, name, value] = FIELD_LINE.exec(line) ?? [];
    if (name === undefined || value === undefined) return undefined;
    const field = name.toLowerCase();
    if (field === 'content-length') {
      if (!LENGTH.test(value) || (length !== undefined && length !== value)) return undefined;
      length = value;
    } else if (field === 'transfer-encoding') {
      if (coding !== undefined) return undefined;
      coding = value.toLowerCase();
    }
  }
  // RFC 9112 §6.3, in its order.
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) {
    return { status, framing: 'none' };
  }
  if (coding !== undefined) {
    if (length !== undefined) return undefined;
    return { status, framing: coding === 'chunked' ? 'chunked' : 'close' };
  }
  if (length !== undefined) return { status, framing: 'length', lengthBytes: Number(length) };
  return { status, framing: 'close' };
}
