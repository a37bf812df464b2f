import {
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from 'node:http2';
import type { AddressInfo } from 'node:net';

/** What an HTTP/2 upstream does with each request. */
export type StreamAnswer = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  raw: readonly string[],
) => void;

/** An upstream in a test that speaks HTTP/2 by prior knowledge, on the runtime's own server. */
export class Http2Upstream {
  readonly port: number;
  /** Every connection that came, in order. */
  readonly sessions: ServerHttp2Session[] = [];
  /** Every stream that came and is open. */
  readonly streams: ServerHttp2Stream[] = [];
  answer: StreamAnswer = (stream) => {
    stream.respond({ ':status': 200 });
    stream.end('ok');
  };
  readonly #server: Http2Server;

  static async listen(options: ServerOptions = {}): Promise<Http2Upstream> {
    const server = createServer(options);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Http2Upstream(server);
  }

  private constructor(server: Http2Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('session', (session) => {
      this.sessions.push(session);
      session.on('error', () => undefined);
    });
    server.on('stream', (stream, headers, _flags, raw?: string[]) => {
      stream.on('error', () => undefined);
      this.streams.push(stream);
      stream.on('close', () => void this.streams.splice(this.streams.indexOf(stream), 1));
      this.answer(stream, headers, raw ?? []);
    });
  }

  async close(): Promise<void> {
    for (const session of this.sessions) session.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
