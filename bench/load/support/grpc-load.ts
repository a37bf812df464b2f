import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { holdProcess } from '@portolan/client';
import { LatencyHistogram } from 'portolan/bench';
import { type LoadResult, toLoadResult } from './http-load.ts';

export interface GrpcLoadOptions {
  readonly origin: string;
  readonly connections: number;
  /** `/package.Service/Method` */
  readonly path: string;
  /** A call before each, which is part of the same piece of work. */
  readonly before?: { readonly path: string; readonly next: (sequence: number) => Uint8Array };
  /** One stream a connection with a message and its answer after the other, and not one stream a message. */
  readonly isStreaming: boolean;
  /** The next request's message, or undefined when there is no more. */
  readonly next: (sequence: number) => Uint8Array | undefined;
  readonly durationMs: number;
}

const PREFIX_BYTES = 5;
const EMPTY = Buffer.alloc(0);

/** A load over gRPC: one connection each, the next message when the one before is answered. */
export async function runGrpcLoad(options: GrpcLoadOptions): Promise<LoadResult> {
  const release = holdProcess();
  const latency = new LatencyHistogram();
  const errors = new Map<string, number>();
  const startedMs = performance.now();
  let sequence = 0;

  const { before } = options;
  const take = (): { readonly bytes: Buffer; readonly first?: Buffer } | undefined => {
    if (performance.now() - startedMs >= options.durationMs) return undefined;
    const at = sequence++;
    const message = options.next(at);
    if (!message) return undefined;
    const bytes = withPrefix(message);
    return before ? { bytes, first: withPrefix(before.next(at)) } : { bytes };
  };
  const open = (session: ClientHttp2Session, path = options.path): ClientHttp2Stream =>
    session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });

  async function lane(): Promise<void> {
    const session = connect(options.origin);
    session.on('error', () => undefined);
    let stream: ClientHttp2Stream | undefined;
    try {
      for (let work = take(); work !== undefined; work = take()) {
        const { bytes, first } = work;
        const sentMs = performance.now();
        let failure = first && (await callOf(open(session, before?.path), first));
        if (failure === undefined) {
          stream ??= open(session);
          failure = await (options.isStreaming ? answerTo(stream, bytes) : callOf(stream, bytes));
        }
        latency.record(performance.now() - sentMs);
        if (failure !== undefined) errors.set(failure, (errors.get(failure) ?? 0) + 1);
        if (!options.isStreaming || failure !== undefined) stream = undefined;
      }
    } finally {
      stream?.close();
      session.destroy();
    }
  }

  await Promise.all(Array.from({ length: options.connections }, lane));
  const seconds = (performance.now() - startedMs) / 1_000;
  release();
  return toLoadResult({ requests: latency.count, seconds, latency, errors });
}

/** A whole call with one message each way; resolves with what went wrong. */
function callOf(stream: ClientHttp2Stream, bytes: Buffer): Promise<string | undefined> {
  return new Promise((resolve) => {
    let status: unknown;
    stream.on('response', (headers) => (status = headers['grpc-status']));
    stream.on('trailers', (trailers) => (status = trailers['grpc-status']));
    stream.on('error', () => undefined);
    stream.on('close', () => resolve(status === '0' ? undefined : `grpc-status ${status}`));
    stream.resume();
    stream.end(bytes);
  });
}

/** Sends one message on a stream that stays, and waits for the message that answers it. */
async function answerTo(stream: ClientHttp2Stream, bytes: Buffer): Promise<string | undefined> {
  stream.write(bytes);
  let received: Buffer = EMPTY;
  try {
    for (;;) {
      const [piece] = (await once(stream, 'data')) as [Buffer];
      received = Buffer.concat([received, piece]);
      if (received.length < PREFIX_BYTES) continue;
      if (received.length >= PREFIX_BYTES + received.readUInt32BE(1)) return undefined;
    }
  } catch (error) {
    return (error as Error).message;
  }
}

function withPrefix(message: Uint8Array): Buffer {
  const framed = Buffer.alloc(PREFIX_BYTES + message.length);
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, PREFIX_BYTES);
  return framed;
}
