import type { Socket } from 'node:net';
import { toLatin1 } from '../protocol/latin1.ts';
import type { NativeSocket } from './native-sockets.ts';
import { READ_BYTES } from './read-bytes.ts';
import { readerOf, type SocketReader } from './socket-reader.ts';

/** What of a TCP handle is used; see `node:net`'s own writes. */
interface TcpHandle {
  readonly writeQueueSize: number;
  writeLatin1String(request: WriteRequest, text: string): number;
  writeBuffer(request: WriteRequest, bytes: Buffer): number;
}

interface WriteRequest {
  oncomplete: () => void;
  /** Keeps the bytes alive until they are written. */
  buffer: Buffer | undefined;
}

interface WithHandle {
  readonly _handle?: Partial<TcpHandle> | null;
}

/**
 * The class of requests that handles take; learnt from the first write of this process, since nothing public names it. Newer
 * runtimes make none for a write that is taken at once: there the stream's way is the only one.
 */
let RequestClass: (new () => WriteRequest) | undefined;
let learnt = false;
/** Used for every write that the kernel takes at once; one that it does not take keeps it. */
let request: WriteRequest | undefined;

/** A read's bytes with a head before and a chunk's end behind. */
const STAGING_BYTES = READ_BYTES + 32_768;
const MAX_SPARE_STAGINGS = 16;
/** What is lent is written from these: copying costs less than a buffer of its own for every piece, and collecting those. */
const spareStagings: Buffer[] = [];

/**
 * Writes to a socket past its stream while nothing waits there: what the kernel takes at once, as nearly everything, costs no
 * stream state, no request object and no tick. All else goes through the stream, in order.
 */
export class SocketWriter {
  readonly #socket: Socket;
  readonly #reader: SocketReader | undefined;
  /** Given to the kernel's queue by ourselves and not taken yet. */
  #queued = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#reader = readerOf(socket);
  }

  /** Called when the kernel did not take at once what a write that returned true had written. */
  set onUnsent(callback: () => void) {
    if (this.#reader !== undefined) this.#reader.onUnsent = callback;
  }

  /** Has everything in the socket's own hands; to be called before the socket is ended. */
  settle(): void {
    this.#reader?.native?.flush();
  }

  get destroyed(): boolean {
    return this.#socket.destroyed;
  }

  /** Bytes that the kernel has not taken yet, as far as can be told. */
  get unsentBytes(): number {
    return this.#socket.writableLength + this.#queued;
  }

  /** Whether a write was told to wait for the socket's `drain`. */
  get needsDrain(): boolean {
    return this.#queued > 0 || this.#socket.writableNeedDrain;
  }

  /** Latin1 text; false says to wait for the socket's `drain`. */
  writeText(text: string): boolean {
    const native = this.#nativeFor(text.length);
    if (native !== undefined) {
      native.writeText(text);
      return true;
    }
    const handle = this.#directHandle();
    if (handle === undefined || request === undefined) {
      return this.#socket.write(text, 'latin1') && this.#queued === 0;
    }
    return this.#settle(handle, handle.writeLatin1String(request, text), text.length, undefined);
  }

  /** Bytes that stay as they are; false says to wait for the socket's `drain`. */
  writeBytes(bytes: Buffer): boolean {
    const native = this.#nativeFor(bytes.length);
    if (native !== undefined) {
      native.writeBytes(bytes);
      return true;
    }
    const handle = this.#directHandle();
    if (handle === undefined || request === undefined) {
      return this.#socket.write(bytes) && this.#queued === 0;
    }
    return this.#settle(handle, handle.writeBuffer(request, bytes), bytes.length, bytes);
  }

  /**
   * Text, bytes that are only lent, and text, in one system call where they are no more than a read; false says to wait for the
   * socket's `drain`.
   */
  writeLent(before: string, bytes: Buffer, after: string): boolean {
    const length = before.length + bytes.length + after.length;
    const native = this.#nativeFor(length);
    if (native !== undefined) {
      writeThree(native, before, bytes, after);
      return true;
    }
    const handle = this.#directHandle();
    if (handle === undefined || request === undefined || length > STAGING_BYTES) {
      return this.writeParts(before, Buffer.from(bytes), after);
    }
    const used = spareStagings.pop() ?? Buffer.allocUnsafeSlow(STAGING_BYTES);
    let at = before === '' ? 0 : used.write(before, 0, 'latin1');
    at += bytes.copy(used, at);
    if (after !== '') at += used.write(after, at, 'latin1');
    const staged = used.subarray(0, at);
    const writing = request;
    const taken = this.#settle(handle, handle.writeBuffer(request, staged), at, staged);
    if (taken) spare(used);
    // What the kernel did not take stays where it is until it does, or the connection is closed.
    else writing.oncomplete = () => spare(used);
    return taken;
  }

  /** As `writeLent`, for what is small enough to be copied into a text. */
  writeJoined(before: string, bytes: Buffer, after: string): boolean {
    const native = this.#nativeFor(before.length + bytes.length + after.length);
    if (native === undefined) {
      return this.writeText(before + toLatin1(bytes, 0, bytes.length) + after);
    }
    writeThree(native, before, bytes, after);
    return true;
  }

  /** Text, bytes that stay as they are, and text; false says to wait for the socket's `drain`. */
  writeParts(before: string, bytes: Buffer, after: string): boolean {
    this.settle();
    const socket = this.#socket;
    socket.cork();
    if (before !== '') socket.write(before, 'latin1');
    socket.write(bytes);
    if (after !== '') socket.write(after, 'latin1');
    socket.uncork();
    return !this.needsDrain;
  }

  /** Where the write goes with those of other sockets; otherwise what went there before is on its way. */
  #nativeFor(bytes: number): NativeSocket | undefined {
    const native = this.#reader?.native;
    if (native === undefined) return undefined;
    if (this.#queued === 0 && native.takes(bytes)) return native;
    native.flush();
    return undefined;
  }

  #directHandle(): TcpHandle | undefined {
    const socket = this.#socket;
    if (this.#queued > 0 || socket.writableLength > 0 || !socket.writable || socket.connecting) {
      return undefined;
    }
    const handle = (socket as unknown as WithHandle)._handle;
    if (!isTcpHandle(handle)) return undefined;
    if (!learnt) learnRequestClass(handle);
    return handle;
  }

  #settle(handle: TcpHandle, error: number, bytes: number, kept: Buffer | undefined): boolean {
    const used = request as WriteRequest;
    if (error !== 0) {
      this.#socket.destroy(new Error(`The write failed (${error})`));
      return true;
    }
    if (handle.writeQueueSize === 0) return true;
    used.buffer = kept;
    request = newRequest();
    this.#queued = bytes;
    // Queued behind it, so that it ends when that does; and until then the stream knows that it is not finished.
    this.#socket.write('', 'latin1', () => {
      this.#queued = 0;
      // Otherwise the stream says so itself, later.
      if (!this.#socket.destroyed && !this.#socket.writableNeedDrain) this.#socket.emit('drain');
    });
    return false;
  }
}

function writeThree(native: NativeSocket, before: string, bytes: Buffer, after: string): void {
  if (before !== '') native.writeText(before);
  native.writeBytes(bytes);
  if (after !== '') native.writeText(after);
}

function isTcpHandle(handle: Partial<TcpHandle> | null | undefined): handle is TcpHandle {
  return (
    handle?.constructor.name === 'TCP' &&
    typeof handle.writeLatin1String === 'function' &&
    typeof handle.writeBuffer === 'function' &&
    typeof handle.writeQueueSize === 'number'
  );
}

const WRITES = ['writeLatin1String', 'writeBuffer', 'writev'] as const;

/** Has the next write of the handle, which the stream makes in whatever form, tell the class of its request. */
function learnRequestClass(handle: TcpHandle): void {
  const writing = handle as unknown as Record<string, (...given: unknown[]) => number>;
  for (const name of WRITES) {
    const own = writing[name];
    if (own === undefined) continue;
    writing[name] = (...given) => {
      // What the handle has of its class comes to light again.
      for (const each of WRITES) delete writing[each];
      learnt = true;
      const madeBy = (given[0] as object | null)?.constructor;
      if (madeBy?.name === 'WriteWrap') {
        RequestClass = madeBy as new () => WriteRequest;
        request = newRequest();
      }
      return own.apply(handle, given);
    };
  }
}

function newRequest(): WriteRequest | undefined {
  if (RequestClass === undefined) return undefined;
  const made = new RequestClass();
  made.oncomplete = ignore;
  made.buffer = undefined;
  return made;
}

function ignore(): void {}

function spare(staging: Buffer): void {
  if (spareStagings.length < MAX_SPARE_STAGINGS) spareStagings.push(staging);
}
