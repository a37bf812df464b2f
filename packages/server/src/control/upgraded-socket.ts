import type { Socket } from 'node:net';
import type { Admission, UpgradedConnection, UpgradedHandler } from '@portolan/core';

export interface UpgradedSocketOptions {
  readonly socket: Socket;
  /** What was read beyond the head of the request. */
  readonly surplus: Buffer;
  readonly remoteAddress: string;
  readonly requestId: string;
  readonly shutdown: AbortSignal;
  readonly admission: Admission;
}

/** A connection that the HTTP engine handed over, as an adapter speaks on it. Its errors end it and are nobody's fault. */
export function createUpgradedSocket(options: UpgradedSocketOptions): UpgradedConnection {
  const { socket, surplus, remoteAddress, requestId, shutdown, admission } = options;
  let closed = false;
  let handler: UpgradedHandler | undefined;
  socket.on('error', () => socket.destroy());

  return {
    remoteAddress,
    requestId,
    shutdown,
    admission,
    get unsentBytes() {
      return socket.writableLength;
    },
    start(given) {
      handler = given;
      const close = (): void => {
        if (closed) return;
        closed = true;
        handler?.onClosed();
      };
      socket.on('close', close);
      if (socket.destroyed) {
        close();
        return;
      }
      socket.on('data', (piece: Buffer) => {
        if (!closed) given.onData(piece);
      });
      socket.on('drain', () => {
        if (!closed) given.onDrain();
      });
      socket.on('end', () => {
        if (!closed) given.onEnd();
      });
      if (surplus.length > 0) given.onData(surplus);
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    write: (bytes) => (socket.writable ? socket.write(bytes) : true),
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
  };
}
