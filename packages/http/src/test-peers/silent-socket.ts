import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** In the place of a connected socket: takes every byte at once, and never brings any by itself. */
export class SilentSocket extends Duplex {
  /** All that was written, as latin1. */
  written = '';

  asSocket(): Socket {
    return this as unknown as Socket;
  }

  /** As a socket's: what was written is taken already. */
  destroySoon(): void {
    this.end();
  }

  override _read(): void {}

  override _write(piece: Buffer, _encoding: string, done: () => void): void {
    this.written += piece.toString('latin1');
    done();
  }
}

const SCRATCH = Buffer.alloc(4_096);

/** Hands pieces over as a socket that is read directly does: each in the same memory, which is overwritten afterwards. */
export function feed(pieces: readonly string[], take: (piece: Buffer) => void): void {
  for (const text of pieces) {
    // No socket reads nothing.
    if (text === '') continue;
    const piece = SCRATCH.subarray(0, SCRATCH.write(text, 'latin1'));
    take(piece);
    piece.fill('#');
  }
}
