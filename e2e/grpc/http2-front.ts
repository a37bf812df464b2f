import { request } from 'node:http';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';

const CONNECTION_FIELDS = new Set(['connection', 'keep-alive', 'transfer-encoding']);

/** A front that takes HTTP/2 and asks the gateway by HTTP/1.1, so that gRPC clients can be tried on what is behind it. */
export interface Http2Front {
  readonly origin: string;
  close(): void;
}

export async function startHttp2Front(gateway: string): Promise<Http2Front> {
  const server = createServer();
  const sessions: { destroy(): void }[] = [];
  server.on('session', (session) => sessions.push(session));
  server.on('stream', (stream, headers) => {
    const fields: Record<string, string> = { host: String(headers[':authority']) };
    for (const [name, value] of Object.entries(headers)) {
      if (!name.startsWith(':')) fields[name] = String(value);
    }
    relay(stream, new URL(gateway).port, String(headers[':path']), fields);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    close() {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
}

function relay(
  stream: ServerHttp2Stream,
  port: string,
  path: string,
  headers: Record<string, string>,
): void {
  const sent = request({ port, host: '127.0.0.1', method: 'POST', path, headers, agent: false });
  sent.flushHeaders();
  sent.on('error', () => stream.close(8));
  stream.on('error', () => sent.destroy());
  stream.on('data', (piece: Buffer) => sent.write(piece));
  stream.on('end', () => sent.end());
  stream.on('close', () => sent.destroy());
  sent.on('response', (answer) => {
    const fields: Record<string, string | number> = { ':status': answer.statusCode ?? 0 };
    for (const [name, value] of Object.entries(answer.headers)) {
      if (!CONNECTION_FIELDS.has(name)) fields[name] = String(value);
    }
    // gRPC takes a status in the head for one only where the head is all there is.
    const endStream = answer.headers['content-length'] === '0';
    stream.respond(fields, { waitForTrailers: !endStream, endStream });
    stream.on('wantTrailers', () => {
      if (!stream.closed) stream.sendTrailers(answer.trailers);
    });
    answer.on('data', (piece: Buffer) => stream.write(piece));
    answer.on('end', () => stream.end());
    answer.on('error', () => stream.close(2));
  });
}
