import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { SocketAddress, TimerHandle } from '@portolan/core';
import { createFrameReader } from './frame-reader.ts';
import type { DnsListener, DnsListenerDeps } from './udp-listener.ts';

/** A question has one name and some options: more is no question. */
const MAX_QUERY_BYTES = 4_096;
/** Answers that may wait for a slow reader before no more questions are read from it. */
const MAX_WAITING_BYTES = 256 * 1_024;

/** Resolves once it is bound; rejects with the system's error. */
export async function listenTcp(
  { host, port }: SocketAddress,
  deps: DnsListenerDeps,
): Promise<DnsListener> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    if (sockets.size >= deps.options.maxConnections) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serve(socket, deps);
  });
  server.listen(port, host);
  await once(server, 'listening');
  server.on('error', (err) => deps.logger.warn({ err }, 'the TCP socket of DNS had an error'));
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('a TCP server has a port');
  return {
    address: { host: bound.address, port: bound.port },
    async close() {
      const closed = [server, ...sockets].map((one) => once(one, 'close'));
      server.close();
      for (const socket of sockets) socket.destroy();
      await Promise.all(closed);
    },
  };
}

/** Answers the questions of one connection in their order; a client may send many without waiting (RFC 7766 §6.2.1.1). */
function serve(socket: Socket, { options, responder, clock }: DnsListenerDeps): void {
  const frames = createFrameReader(MAX_QUERY_BYTES);
  let timer: TimerHandle = clock.setTimer(options.idleTimeoutMs, end);
  socket.on('close', () => timer.cancel());
  socket.on('drain', answerWaiting);
  socket.on('data', (piece: Buffer) => {
    frames.push(piece);
    answerWaiting();
  });

  function answerWaiting(): void {
    while (!socket.destroyed) {
      // A small question may have a large answer: those that wait in a piece are not answered all at once.
      if (socket.writableLength > MAX_WAITING_BYTES) {
        socket.pause();
        return;
      }
      const message = frames.next();
      if (message === undefined) break;
      if (message === 'too-long') {
        end();
        return;
      }
      // Only a whole question counts: one byte now and then keeps nothing open.
      timer.cancel();
      timer = clock.setTimer(options.idleTimeoutMs, end);
      const reply = responder.overTcp(message);
      if (reply) socket.write(framed(reply));
    }
    socket.resume();
  }

  function end(): void {
    timer.cancel();
    socket.destroy();
  }
}

function framed(reply: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(reply.length);
  return Buffer.concat([length, reply]);
}
