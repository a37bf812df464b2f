import type { Socket } from 'node:net';
import { type TimerWheel, WheelTimer } from '../time/timer-wheel.ts';

interface WithHandle {
  readonly _handle?: { readonly writeQueueSize?: number } | null;
}

/** Notices a peer that takes nothing of what waits for it. */
export class WriteWatch {
  readonly #socket: Socket;
  readonly #writer: { readonly unsentBytes: number };
  readonly #wheel: TimerWheel;
  readonly #idleMs: number;
  readonly #onStall: () => void;
  readonly #timer: WheelTimer;
  #unsent = 0;
  #queued = 0;

  constructor(
    socket: Socket,
    writer: { readonly unsentBytes: number },
    wheel: TimerWheel,
    idleMs: number,
    onStall: () => void,
  ) {
    this.#socket = socket;
    this.#writer = writer;
    this.#wheel = wheel;
    this.#idleMs = idleMs;
    this.#onStall = onStall;
    this.#timer = new WheelTimer(() => this.#look());
  }

  start(): void {
    if (this.#timer.armed) return;
    this.#unsent = this.#writer.unsentBytes;
    this.#queued = queuedBytes(this.#socket);
    this.#wheel.arm(this.#timer, this.#idleMs);
  }

  stop(): void {
    this.#wheel.disarm(this.#timer);
  }

  #look(): void {
    const unsent = this.#writer.unsentBytes;
    if (unsent === 0) return;
    const moved = unsent < this.#unsent || queuedBytes(this.#socket) !== this.#queued;
    if (moved) this.start();
    else this.#onStall();
  }
}

/**
 * What the kernel has not taken of the write under way: `writableLength` stands still within one large write. The handle's
 * figure is what Node's own socket timeout goes by.
 */
function queuedBytes(socket: Socket): number {
  return (socket as unknown as WithHandle)._handle?.writeQueueSize ?? 0;
}
