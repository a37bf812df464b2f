import type { ServerHttp2Stream } from 'node:http2';
import { afterEach, describe, expect, it } from 'vitest';
import { anHttp2Upstream } from '../test-rig/http2-upstream.ts';
import { aRawClient } from '../test-rig/raw-peer.ts';
import { aGateway, cleanUp } from '../test-rig/running-gateway.ts';
import { anInstance, aRoute } from '../test-rig/settable-catalogue.ts';

afterEach(cleanUp);

interface Seen {
  headers: Record<string, unknown>;
  body: Buffer;
}

/** A gRPC server that answers each whole request with `answer`. */
async function aService(answer: (stream: ServerHttp2Stream, body: Buffer) => void) {
  const seen: Seen[] = [];
  const upstream = await anHttp2Upstream((stream, headers) => {
    const pieces: Buffer[] = [];
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.on('end', () => {
      // The runtime says so of a stream that was reset, too.
      if (stream.closed) return;
      const body = Buffer.concat(pieces);
      seen.push({ headers, body });
      answer(stream, body);
    });
  });
  const { catalogue, port } = await aGateway();
  catalogue.setRoutes([aRoute({ name: 'r' })]);
  catalogue.set('web', [anInstance(upstream.port, { labels: { protocol: 'grpc' } })]);
  return { seen, port };
}

function respond(stream: ServerHttp2Stream, messages: readonly Buffer[], trailers: object): void {
  stream.respond(
    { ':status': 200, 'content-type': 'application/grpc+proto' },
    { waitForTrailers: true },
  );
  stream.on('wantTrailers', () => stream.sendTrailers({ ...trailers }));
  for (const message of messages) stream.write(message);
  stream.end();
}

async function call(port: number, type: string, body: string, more = ''): Promise<string> {
  const client = await aRawClient(port);
  client.send(
    `POST /s/m HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: ${type}\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`,
  );
  return client.end();
}

const MESSAGE = Buffer.from([0, 0, 0, 0, 3, 1, 2, 3]);
const TRAILERS = 'grpc-status: 0\r\ngrpc-message: fine\r\n';
const FRAME = `\x80\0\0\0${String.fromCharCode(TRAILERS.length)}${TRAILERS}`;

/** The chunks of a chunked body. */
function chunks(text: string): string[] {
  const found: string[] = [];
  for (let at = text.indexOf('\r\n\r\n') + 4; ; ) {
    const end = text.indexOf('\r\n', at);
    const length = Number.parseInt(text.slice(at, end), 16);
    if (length === 0) return found;
    found.push(text.slice(end + 2, end + 2 + length));
    at = end + 4 + length;
  }
}

describe('a gRPC-Web request', () => {
  it('reaches the service as gRPC, and its trailers come back as a frame of the body', async () => {
    const { seen, port } = await aService((stream) =>
      respond(stream, [MESSAGE], { 'grpc-status': '0', 'grpc-message': 'fine' }),
    );
    const text = await call(port, 'application/grpc-web+proto', MESSAGE.toString('latin1'));
    expect(seen[0]?.headers).toMatchObject({
      'content-type': 'application/grpc+proto',
      'content-length': '8',
      te: 'trailers',
    });
    expect(seen[0]?.body).toEqual(MESSAGE);
    expect(text).toContain('Content-Type: application/grpc-web+proto\r\n');
    expect(chunks(text).join('')).toBe(MESSAGE.toString('latin1') + FRAME);
  });

  it('in base64 is decoded on the way in and its answer encoded on the way out', async () => {
    const { seen, port } = await aService((stream) =>
      respond(stream, [MESSAGE], { 'grpc-status': '0', 'grpc-message': 'fine' }),
    );
    const sent = MESSAGE.toString('base64').repeat(2);
    const text = await call(port, 'application/grpc-web-text+proto', sent);
    expect(seen[0]?.headers['content-length']).toBeUndefined();
    expect(seen[0]?.body).toEqual(Buffer.concat([MESSAGE, MESSAGE]));
    expect(text).toContain('Content-Type: application/grpc-web-text+proto\r\n');
    const decoded = chunks(text).map((chunk) => Buffer.from(chunk, 'base64').toString('latin1'));
    expect(decoded.join('')).toBe(MESSAGE.toString('latin1') + FRAME);
  });

  it('is answered in the form it accepts', async () => {
    const { port } = await aService((stream) => respond(stream, [MESSAGE], { 'grpc-status': '0' }));
    const accept = 'Accept: application/grpc-web-text\r\n';
    const text = await call(port, 'application/grpc-web', '', accept);
    expect(text).toContain('Content-Type: application/grpc-web-text+proto\r\n');
  });

  it('that fails without a message is told so in the head', async () => {
    const { port } = await aService((stream) =>
      stream.respond(
        { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '5' },
        { endStream: true },
      ),
    );
    const text = await call(port, 'application/grpc-web', '');
    expect(text).toContain('grpc-status: 5\r\n');
    expect(text).toMatch(/Content-Length: 0\r\n[\s\S]*\r\n\r\n$/);
  });

  it('is answered in its own form where the gateway itself refuses it', async () => {
    const { port } = await aGateway();
    const text = await call(port, 'application/grpc-web', '');
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(text).toContain('Content-Type: application/grpc-web\r\nGrpc-Status: 12\r\n');
  });

  it('that is broken off says so in a frame', async () => {
    const { port } = await aService((stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
      stream.write(MESSAGE, () => stream.session?.destroy());
    });
    const text = await call(port, 'application/grpc-web', '');
    expect(chunks(text).join('')).toMatch(
      /\x80[\s\S]{4}grpc-status: 14\r\ngrpc-message: UPSTREAM_/,
    );
  });

  it.each(['!!!!', 'QUJ'])('whose body %j is no base64 is refused', async (body) => {
    const { seen, port } = await aService(() => undefined);
    const text = await call(port, 'application/grpc-web-text', body);
    expect(text).toContain('Content-Type: application/grpc-web-text\r\nGrpc-Status: 13\r\n');
    expect(text).toContain('GRPC_WEB_MALFORMED');
    expect(seen).toHaveLength(0);
  });

  it('whose answer is no gRPC gets it as it is', async () => {
    const { port } = await aService((stream) => {
      stream.respond({ ':status': 404, 'content-type': 'text/plain' });
      stream.end('nothing here');
    });
    const text = await call(port, 'application/grpc-web', '');
    expect(text).toMatch(/^HTTP\/1\.1 404 /);
    expect(chunks(text).join('')).toBe('nothing here');
  });
});
