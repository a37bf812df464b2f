import type { Socket } from 'node:net';
import type { Deadline, DeadlineOwner, Deadlines } from './deadlines.ts';

/** One side of an upgraded connection, with what was read from it already. */
export interface TunnelSide {
  readonly socket: Socket;
  readonly surplus: Buffer;
}

/** Two sockets that carry each other's bytes until one ends or both are silent for too long. */
export class Tunnel implements DeadlineOwner {
  readonly #client: Socket;
  readonly #upstream: Socket;
  readonly #deadlines: Deadlines;
  readonly #idleTimeoutMs: number;
  readonly #onClosed: () => void;
  #deadline: Deadline | undefined;
  #open = 2;

  constructor(
    client: TunnelSide,
    upstream: TunnelSide,
    deps: { readonly deadlines: Deadlines; readonly idleTimeoutMs: number; onClosed(): void },
  ) {
    this.#client = client.socket;
    this.#upstream = upstream.socket;
    this.#deadlines = deps.deadlines;
    this.#idleTimeoutMs = deps.idleTimeoutMs;
    this.#onClosed = () => deps.onClosed();
    this.#deadline = this.#deadlines.take(this);
    this.#touch();
    this.#join(client, upstream.socket);
    this.#join(upstream, client.socket);
  }

  onDeadline(): void {
    this.#client.destroy();
    this.#upstream.destroy();
  }

  #touch(): void {
    if (this.#deadline) this.#deadlines.arm(this.#deadline, this.#idleTimeoutMs);
  }

  #join(from: TunnelSide, to: Socket): void {
    const { socket, surplus } = from;
    if (surplus.length > 0) to.write(surplus);
    socket.on('data', (piece: Buffer) => {
      this.#touch();
      if (!to.write(piece)) socket.pause();
    });
    to.on('drain', () => {
      this.#touch();
      socket.resume();
    });
    socket.on('end', () => to.end());
    socket.on('error', () => to.destroy());
    socket.on('close', () => {
      // What was sent on is still delivered; nothing more will come.
      if (!to.destroyed) to.destroySoon();
      if (--this.#open === 0) this.#closed();
    });
    if (socket.destroyed) {
      to.destroy();
      if (--this.#open === 0) this.#closed();
    } else socket.resume();
  }

  #closed(): void {
    if (this.#deadline) this.#deadlines.give(this.#deadline);
    this.#deadline = undefined;
    this.#onClosed();
  }
}
