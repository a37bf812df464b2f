import type { Socket } from 'node:net';
import { type TimerWheel, WheelTimer } from '../time/timer-wheel.ts';
import { type Opening, OpeningError } from './opening-error.ts';

export interface OpeningLimits {
  readonly bytes: number;
  readonly timeoutMs: number;
}

/** An opening with everything that was read, itself included. The socket is paused. */
export interface ReadOpening<T> extends Opening<T> {
  readonly bytes: Buffer;
}

/**
 * Reads a connection until `parse`, which is given all bytes so far, returns something. `first` is what was read before. Rejects
 * with an OpeningError (or what `parse` throws); the socket is then still open and its owner's.
 */
export function readOpening<T>(
  socket: Socket,
  parse: (bytes: Buffer) => Opening<T> | undefined,
  limits: OpeningLimits,
  wheel: TimerWheel,
  first: Buffer = Buffer.alloc(0),
): Promise<ReadOpening<T>> {
  return new Promise((resolve, reject) => {
    let bytes = first;
    const timer = new WheelTimer(() =>
      fail(new OpeningError('OPENING_TIMEOUT', 'The connection did not open in time')),
    );

    function leave(): void {
      wheel.disarm(timer);
      socket.off('data', onData);
      socket.off('end', onEnd);
      socket.off('close', onEnd);
      socket.off('error', onError);
      socket.pause();
    }

    function fail(error: Error): void {
      leave();
      // Whoever hears of it may be a turn away.
      socket.on('error', ignore);
      reject(error);
    }

    function attempt(): void {
      try {
        const opening = parse(bytes);
        if (opening !== undefined) {
          leave();
          socket.on('error', ignore);
          resolve({ ...opening, bytes });
        } else if (bytes.length >= limits.bytes) {
          fail(new OpeningError('OPENING_TOO_LARGE', 'The connection opens with too much'));
        }
      } catch (error) {
        fail(error instanceof Error ? error : new Error(String(error)));
      }
    }

    function onData(piece: Buffer): void {
      bytes = bytes.length === 0 ? piece : Buffer.concat([bytes, piece]);
      attempt();
    }

    function onEnd(): void {
      fail(new OpeningError('OPENING_TRUNCATED', 'The client left before its connection opened'));
    }

    function onError(cause: Error): void {
      fail(new OpeningError('OPENING_TRUNCATED', 'The connection failed', { cause }));
    }

    socket.on('data', onData);
    socket.on('end', onEnd);
    socket.on('close', onEnd);
    socket.on('error', onError);
    wheel.arm(timer, limits.timeoutMs);
    if (bytes.length > 0) attempt();
    if (socket.listeners('data').includes(onData)) socket.resume();
  });
}

function ignore(): void {}
