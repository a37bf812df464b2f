import type { Socket } from 'node:net';
import { SocketWriter } from '../transport/socket-writer.ts';
import type { BodyFraming } from './framing.ts';

/** Up to here a head and a body piece are joined to one string: one write, and no copy but the kernel's. */
const JOIN_BYTES = 16_384;
const LAST_CHUNK = '0\r\n\r\n';

/**
 * Writes one message after another to a socket: the head together with the first piece of the body in one write, and a body
 * that keeps to its framing.
 */
export class MessageWriter {
  readonly #writer: SocketWriter;
  #heldHead = '';
  #kind: BodyFraming['kind'] = 'none';
  #remaining = 0;
  #flushPlanned = false;
  /** Whether anything of the present message was handed to the socket. */
  started = false;
  ended = true;

  constructor(socket: Socket) {
    this.#writer = new SocketWriter(socket);
  }

  /** See `SocketWriter`. */
  set onUnsent(callback: () => void) {
    this.#writer.onUnsent = callback;
  }

  /** To be called before the socket is ended. */
  settle(): void {
    this.#writer.settle();
  }

  /** Bytes that the kernel has not taken yet. */
  get unsentBytes(): number {
    return this.#writer.unsentBytes;
  }

  get needsDrain(): boolean {
    return this.#writer.needsDrain;
  }

  /** `head` ends with the empty line. It leaves with the first piece, or by itself after this turn of callbacks. */
  begin(head: string, framing: BodyFraming): void {
    this.#heldHead = head;
    this.#kind = framing.kind;
    this.#remaining = framing.kind === 'length' ? framing.length : 0;
    this.started = false;
    this.ended = false;
  }

  /** Has the head leave by itself unless a piece of the body takes it along first. */
  planFlush(): void {
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    if (planned.push(this) === 1) process.nextTick(flushAllPlanned);
  }

  flush(): void {
    this.#flushPlanned = false;
    if (this.#heldHead !== '' && !this.#writer.destroyed) this.#send(this.#heldHead);
  }

  /** Interim text between messages, such as a 100. */
  interim(text: string): void {
    this.#writer.writeText(text);
  }

  /** A piece that is only lent. Whether more is welcome; false says to wait for a drain. Throws `RangeError` beyond the announced length. */
  write(piece: Buffer): boolean {
    if (this.ended) return true;
    if (piece.length === 0 || this.#kind === 'none') return !this.#writer.needsDrain;
    const head = this.#heldHead;
    if (this.#kind === 'chunked') {
      const prefix = `${head}${piece.length.toString(16)}\r\n`;
      return this.#sendJoined(prefix, piece, '\r\n', true);
    }
    if (this.#kind === 'length') this.#count(piece.length);
    return this.#sendJoined(head, piece, '', true);
  }

  /** Ends the body with an optional last piece, which stays as it is. Throws `RangeError` when the announced length was not reached. */
  end(piece?: Buffer, trailerLines = ''): boolean {
    if (this.ended) return true;
    const last = piece !== undefined && this.#kind !== 'none' ? piece : undefined;
    const size = last?.length ?? 0;
    if (this.#kind === 'length') {
      this.#count(size);
      if (this.#remaining > 0) throw new RangeError('The body is shorter than announced');
    }
    this.ended = true;
    if (this.#kind !== 'chunked') {
      if (last !== undefined && size > 0) return this.#sendJoined(this.#heldHead, last, '', false);
      if (this.#heldHead !== '') return this.#send(this.#heldHead);
      return !this.#writer.needsDrain;
    }
    const closing = trailerLines === '' ? LAST_CHUNK : `0\r\n${trailerLines}\r\n`;
    if (last === undefined || size === 0) return this.#send(this.#heldHead + closing);
    return this.#sendJoined(
      `${this.#heldHead}${size.toString(16)}\r\n`,
      last,
      `\r\n${closing}`,
      false,
    );
  }

  #count(size: number): void {
    if (size > this.#remaining) throw new RangeError('The body is longer than announced');
    this.#remaining -= size;
  }

  #send(data: string): boolean {
    this.#heldHead = '';
    this.started = true;
    return this.#writer.writeText(data);
  }

  #sendJoined(before: string, piece: Buffer, after: string, lent: boolean): boolean {
    if (before === '' && after === '' && !lent) {
      this.started = true;
      return this.#writer.writeBytes(piece);
    }
    if (before.length + piece.length + after.length <= JOIN_BYTES) {
      this.#heldHead = '';
      this.started = true;
      return this.#writer.writeJoined(before, piece, after);
    }
    this.#heldHead = '';
    this.started = true;
    return lent
      ? this.#writer.writeLent(before, piece, after)
      : this.#writer.writeParts(before, piece, after);
  }
}

/** One tick for all: with many sockets to a turn of callbacks, a tick for each would cost more than what it does. */
let planned: MessageWriter[] = [];

function flushAllPlanned(): void {
  const writers = planned;
  planned = [];
  for (const writer of writers) writer.flush();
}
