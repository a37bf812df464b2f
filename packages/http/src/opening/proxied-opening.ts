import type { Socket } from 'node:net';
import type { TimerWheel } from '../time/timer-wheel.ts';
import { MAX_PROXY_HEADER_BYTES, type ProxiedSource, parseProxyHeader } from './proxy-protocol.ts';
import { readOpening } from './read-opening.ts';

/** Which peers of a listener are proxies: they have to open with a PROXY header, and nobody else may connect. */
export type IsProxy = (address: string) => boolean;

const TIMEOUT_MS = 5_000;

/** Reads the PROXY headers of a listener's connections. */
export interface ProxiedOpenings {
  /** Connections whose header is awaited. */
  readonly waiting: number;
  /**
   * Hands the connection on with what its header says (undefined: nothing of the client) and the bytes behind it, paused; destroys one
   * that does not open as it has to.
   */
  read(
    socket: Socket,
    handOn: (socket: Socket, source: ProxiedSource | undefined, rest: Buffer) => void,
  ): void;
  close(): void;
}

export function createProxiedOpenings(isProxy: IsProxy, wheel: TimerWheel): ProxiedOpenings {
  const waiting = new Set<Socket>();
  const limits = { bytes: MAX_PROXY_HEADER_BYTES, timeoutMs: TIMEOUT_MS };
  return {
    get waiting() {
      return waiting.size;
    },
    read(socket, handOn) {
      const { remoteAddress } = socket;
      if (remoteAddress === undefined || !isProxy(remoteAddress)) {
        socket.on('error', () => undefined);
        socket.destroy();
        return;
      }
      waiting.add(socket);
      readOpening(socket, parseProxyHeader, limits, wheel)
        .then(({ value, length, bytes }) => {
          waiting.delete(socket);
          if (!socket.destroyed) handOn(socket, value, bytes.subarray(length));
        })
        .catch(() => {
          waiting.delete(socket);
          socket.destroy();
        });
    },
    close() {
      for (const socket of waiting) socket.destroy();
    },
  };
}
