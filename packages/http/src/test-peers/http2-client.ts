import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';

/** What came of a request over HTTP/2. */
export interface Http2Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly interim: readonly number[];
  readonly trailers: Readonly<Record<string, unknown>> | undefined;
  readonly body: string;
  /** Code of the stream's end; 0 when nothing was wrong. */
  readonly code: number;
}

/** A client in a test that speaks HTTP/2 by prior knowledge. */
export function dialHttp2(port: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  return session;
}

/** Gathers what comes of a request, until its stream is closed. */
export function answerOf(stream: ClientHttp2Stream): Promise<Http2Answer> {
  const pieces: Buffer[] = [];
  const interim: number[] = [];
  let headers: Record<string, unknown> = {};
  let trailers: Record<string, unknown> | undefined;
  stream.on('headers', (head) => interim.push(Number(head[':status'])));
  stream.on('response', (head) => {
    headers = head;
  });
  stream.on('trailers', (head) => {
    trailers = head;
  });
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  stream.on('error', () => undefined);
  return new Promise((resolve) =>
    stream.on('close', () =>
      resolve({
        status: Number(headers[':status'] ?? 0),
        headers,
        interim,
        trailers,
        body: Buffer.concat(pieces).toString('utf8'),
        code: stream.rstCode,
      }),
    ),
  );
}

/** A frame of HTTP/2 (RFC 9113 §4.1). */
export function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** The header block of `GET http://a/`: indexed fields, and an authority as a literal (RFC 7541 §6). */
export const GET_BLOCK = Buffer.from([0x82, 0x86, 0x84, 0x41, 0x01, 0x61]);

/** What a client opens with. */
export const OPENING = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1'),
  frame(4, 0, 0, Buffer.alloc(0)),
]);

/** The code of the GOAWAY in what a server sent; undefined without one. The last counts. */
export function goAwayCode(bytes: Buffer): number | undefined {
  let code: number | undefined;
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
    if (bytes[at + 3] === 7 && at + 17 <= bytes.length) code = bytes.readUInt32BE(at + 13);
  }
  return code;
}
