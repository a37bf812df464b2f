/** An answer that is whole. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: Buffer;
  /** Where the next answer would start. */
  readonly end: number;
  /** The connection carries no other. */
  readonly closes: boolean;
}

const MAX_HEAD_BYTES = 65_536;

/** Reads the answer that `bytes` start with: undefined while it is not whole, a text when it never will be one. */
export function readAnswer(bytes: Buffer): HttpAnswer | string | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) {
    return bytes.length > MAX_HEAD_BYTES ? 'an answer without end of its head' : undefined;
  }
  const head = bytes.toString('latin1', 0, headEnd);
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]);
  const bodyAt = headEnd + 4;
  const closes = /\r\nconnection: *close/i.test(head);
  // RFC 9112 §6.3: these never have a body, whatever the head says.
  if (status === 204 || status === 304) {
    return { status, body: bytes.subarray(bodyAt, bodyAt), end: bodyAt, closes };
  }
  if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
    const chunked = readChunks(bytes, bodyAt);
    return typeof chunked === 'object' ? { status, closes, ...chunked } : chunked;
  }
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (Number.isNaN(status) || length === undefined) {
    return 'an answer that is not HTTP/1.1 with a Content-Length or chunks';
  }
  const end = bodyAt + Number(length);
  return bytes.length < end
    ? undefined
    : { status, body: bytes.subarray(bodyAt, end), end, closes };
}

function readChunks(
  bytes: Buffer,
  from: number,
): { readonly body: Buffer; readonly end: number } | string | undefined {
  const pieces: Buffer[] = [];
  let at = from;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    if (Number.isNaN(size)) return 'an answer with a faulty chunk';
    const dataAt = lineEnd + 2;
    if (bytes.length < dataAt + size + 2) return undefined;
    if (size === 0) return { body: Buffer.concat(pieces), end: dataAt + 2 };
    pieces.push(bytes.subarray(dataAt, dataAt + size));
    at = dataAt + size + 2;
  }
}
