import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import {
  AGENT_LIMITS,
  AGENT_PATH,
  AGENT_PROTOCOL,
  FRAME,
  type Frame,
  FrameReader,
  frameName,
} from '@portolan/core';

/** A connection that speaks the agent protocol, as a load generator does: whole frames in, answers out. */
export interface AgentStream {
  /** Resolves with the answer to the frame, which has to carry the number. */
  ask(request: number, frame: Uint8Array): Promise<Frame>;
  close(): void;
}

export async function openAgentStream(origin: string): Promise<AgentStream> {
  const { hostname, port } = new URL(origin);
  const socket: Socket = connect({ host: hostname, port: Number(port), noDelay: true });
  await once(socket, 'connect');
  const asked = new Map<number, { resolve(frame: Frame): void; reject(error: Error): void }>();
  const reader = new FrameReader('server', 64 * 2 ** 20);
  let head = Buffer.alloc(0);
  let switched = false;
  const ready = Promise.withResolvers<void>();
  const fail = (error: Error): void => {
    ready.reject(error);
    for (const one of asked.values()) one.reject(error);
    asked.clear();
  };
  socket.on('error', fail);
  socket.on('close', () => fail(new Error('the connection ended')));
  const read = (piece: Uint8Array): void => {
    reader.feed(piece);
    for (let frame = reader.next(); frame; frame = reader.next()) {
      if (frame.type === FRAME.HELLO) ready.resolve();
      else if (frame.type === FRAME.ERROR && frame.request === 0) {
        fail(new Error(`${frameName(frame.type)} ${Buffer.from(frame.payload)}`));
      } else if (frame.type === FRAME.ERROR) {
        asked.get(frame.request)?.reject(new Error(String(Buffer.from(frame.payload))));
        asked.delete(frame.request);
      } else {
        asked.get(frame.request)?.resolve({ ...frame, payload: frame.payload.slice() });
        asked.delete(frame.request);
      }
    }
    reader.keep();
  };
  socket.on('data', (piece: Buffer) => {
    if (switched) {
      read(piece);
      return;
    }
    head = Buffer.concat([head, piece]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    if (!head.toString('latin1').startsWith('HTTP/1.1 101 ')) {
      fail(new Error(head.toString('latin1')));
      return;
    }
    switched = true;
    read(head.subarray(end + 4));
  });
  socket.write(
    `GET ${AGENT_PATH} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: Upgrade\r\nUpgrade: ${AGENT_PROTOCOL}\r\n\r\n`,
  );
  await ready.promise;
  return {
    ask(request, frame) {
      return new Promise((resolve, reject) => {
        asked.set(request, { resolve, reject });
        socket.write(frame);
      });
    },
    close: () => void socket.destroy(),
  };
}

/** What a load over streams gave. */
export interface StreamResult {
  /** Answered well. */
  readonly frames: number;
  readonly errors: number;
  readonly seconds: number;
  /** Sorted milliseconds from sending a frame to its answer. */
  readonly latenciesMs: readonly number[];
}

/** Keeps so many frames a connection on their way until `next` has no more. */
export async function runStreams(
  streams: readonly AgentStream[],
  inFlight: number,
  next: (stream: number, sequence: number) => { request: number; frame: Uint8Array } | undefined,
): Promise<StreamResult> {
  const latenciesMs: number[] = [];
  let errors = 0;
  const startedMs = performance.now();
  const sequences = streams.map(() => 0);
  await Promise.all(
    streams.flatMap((stream, at) =>
      Array.from({ length: Math.min(inFlight, AGENT_LIMITS.window) }, async () => {
        for (;;) {
          const sequence = sequences[at] ?? 0;
          const one = next(at, sequence);
          if (!one) return;
          sequences[at] = sequence + 1;
          const sentMs = performance.now();
          const answered = await stream.ask(one.request, one.frame).catch(() => undefined);
          if (!answered) errors += 1;
          else latenciesMs.push(performance.now() - sentMs);
        }
      }),
    ),
  );
  latenciesMs.sort((a, b) => a - b);
  return {
    frames: latenciesMs.length,
    errors,
    seconds: (performance.now() - startedMs) / 1_000,
    latenciesMs,
  };
}
