import type { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';
import { loadNativeTransport, ROW } from './native-addon.ts';
import { READ_BYTES } from './read-bytes.ts';

/** Read in one turn before JavaScript sees it: little enough to stay in the processor's cache. */
const INPUT = Buffer.allocUnsafeSlow(2 * READ_BYTES);
const INPUT_ROWS = new Int32Array(1_024 * ROW);
const OUTPUT = Buffer.allocUnsafeSlow(2 * READ_BYTES) as Latin1Buffer;
const OUTPUT_ROWS = new Int32Array(1_024 * ROW);
/** Above this a copy costs more than a call of the runtime. */
const MAX_BATCHED_BYTES = 16_384;
/** Up to here a loop is faster than a call of the runtime. */
const LOOPED_BYTES = 96;

interface Latin1Buffer extends Buffer {
  latin1Write(text: string, offset: number, length: number): number;
}

/** What of a TCP handle is used and, while the socket is here, replaced. */
interface TcpHandle {
  readonly fd: number;
  readonly reading: boolean;
  readStart(): number;
  readStop(): number;
  shutdown(request: unknown): number;
  close(callback?: () => void): void;
  reset(callback?: () => void): number;
}

/** Whose socket it is. */
export interface NativeSocketOwner {
  /** Lent, as from `onread`. */
  onPiece(piece: Buffer): void;
  /** The kernel did not take at once what was written; the rest waits in the socket's stream. Writes nothing: others' rests may not be there yet. */
  onUnsent(): void;
  /** The socket is read and written by Node again, or closed. */
  onReleased(): void;
}

const loaded = loadNativeTransport(
  {
    input: INPUT,
    inputRows: INPUT_ROWS,
    output: OUTPUT,
    outputRows: OUTPUT_ROWS,
    readBytes: READ_BYTES,
  },
  onRows,
);
const { transport } = loaded;
let enabled = true;

const slots: (NativeSocket | undefined)[] = [];
const freeSlots: number[] = [];
/** Their rows may still come. */
const retiredSlots: number[] = [];
let lastGeneration = 0;
let inBatch = false;
let flushPlanned = false;
let writtenRows = 0;
let writtenBytes = 0;
/** Counts the flushes: what was written at this count is not sent. */
let flushes = 0;

/** How the sockets of this process are read and written, and where it is not natively, why. */
export interface TransportInUse {
  readonly name: 'native' | 'node';
  readonly reason?: string;
}

export function transportInUse(): TransportInUse {
  if (loaded.transport === undefined) return { name: 'node', reason: loaded.reason };
  return enabled ? { name: 'native' } : { name: 'node', reason: 'switched off' };
}

/** Whether sockets that are taken over from now on are read and written natively, where that is possible at all. */
export function useNativeTransport(wanted: boolean): void {
  enabled = wanted;
}

/** Takes over reading and writing of a connected TCP socket; undefined where that cannot be. */
export function takeNatively(socket: Socket, owner: NativeSocketOwner): NativeSocket | undefined {
  if (transport === undefined || !enabled || socket.destroyed) return undefined;
  const handle = (socket as unknown as { _handle?: Partial<TcpHandle> | null })._handle;
  if (!isTcpHandle(handle)) return undefined;
  const slot = freeSlots.pop() ?? slots.length;
  const generation = (lastGeneration % 0x7fff_ffff) + 1;
  if (transport.attach(slot, generation, handle.fd) !== 0) {
    if (slot < slots.length) freeSlots.push(slot);
    return undefined;
  }
  lastGeneration = generation;
  const made = new NativeSocket(socket, handle, owner, slot, generation);
  slots[slot] = made;
  made.start();
  return made;
}

function isTcpHandle(handle: Partial<TcpHandle> | null | undefined): handle is TcpHandle {
  return (
    handle?.constructor.name === 'TCP' &&
    typeof handle.fd === 'number' &&
    handle.fd >= 0 &&
    typeof handle.readStart === 'function' &&
    typeof handle.readStop === 'function' &&
    typeof handle.shutdown === 'function' &&
    typeof handle.close === 'function' &&
    typeof handle.reset === 'function'
  );
}

function onRows(count: number): void {
  inBatch = true;
  for (let at = 0; at < count * ROW; at += ROW) {
    const socket = slots[INPUT_ROWS[at] as number];
    if (socket === undefined || socket.generation !== INPUT_ROWS[at + 1]) continue;
    try {
      socket.onRow(INPUT_ROWS[at + 2] as number, INPUT_ROWS[at + 3] as number);
    } catch (error) {
      // One socket's failure must not cost the others their bytes.
      process.nextTick(rethrow, error);
    }
  }
  inBatch = false;
  for (let slot = retiredSlots.pop(); slot !== undefined; slot = retiredSlots.pop()) free(slot);
  flushWrites();
}

function rethrow(error: unknown): never {
  throw error;
}

function free(slot: number): void {
  slots[slot] = undefined;
  freeSlots.push(slot);
}

/** Sends what was written. */
function flushWrites(): void {
  flushPlanned = false;
  const rows = writtenRows;
  if (rows === 0) return;
  writtenRows = 0;
  writtenBytes = 0;
  flushes++;
  const unsent = transport?.flush(rows) ?? 0;
  if (unsent > 0) settleUnsent(unsent);
}

function settleUnsent(rows: number): void {
  // Copied before anything is called, which may write and flush itself.
  const rests: [NativeSocket, Buffer | number][] = [];
  for (let at = 0; at < rows * ROW; at += ROW) {
    const socket = slots[OUTPUT_ROWS[at] as number];
    if (socket === undefined || socket.generation !== OUTPUT_ROWS[at + 1]) continue;
    const offset = OUTPUT_ROWS[at + 2] as number;
    const length = OUTPUT_ROWS[at + 3] as number;
    const rest = length < 0 ? length : Buffer.from(OUTPUT.subarray(offset, offset + length));
    rests.push([socket, rest]);
  }
  for (const [socket, rest] of rests) socket.onRest(rest);
}

/**
 * A socket whose reads and writes go through the native transport. All else stays with Node's handle, whose reading, ending and
 * closing are intercepted: it is not to be closed, nor ended before what was written is sent, behind the transport's back.
 */
export class NativeSocket {
  readonly generation: number;
  readonly #socket: Socket;
  readonly #handle: TcpHandle;
  readonly #owner: NativeSocketOwner;
  readonly #slot: number;
  #reading = false;
  #attached = true;
  #ended = false;
  /** What was read when nobody wanted it any more: bytes, 0 for the end, or an error's number. */
  #held: Buffer | number | undefined;
  #writtenAt = -1;

  constructor(
    socket: Socket,
    handle: TcpHandle,
    owner: NativeSocketOwner,
    slot: number,
    generation: number,
  ) {
    this.#socket = socket;
    this.#handle = handle;
    this.#owner = owner;
    this.#slot = slot;
    this.generation = generation;
  }

  /** Called once, by `takeNatively`. */
  start(): void {
    const handle = this.#handle;
    const { reading } = handle;
    const { shutdown, close, reset } = handle;
    if (reading) handle.readStop();
    handle.readStart = () => this.#setReading(true);
    handle.readStop = () => this.#setReading(false);
    handle.shutdown = (request) => {
      this.flush();
      return shutdown.call(handle, request);
    };
    handle.close = (callback) => {
      this.#detach();
      close.call(handle, callback);
    };
    handle.reset = (callback) => {
      this.#detach();
      return reset.call(handle, callback);
    };
    if (!reading || this.#setReading(true) === 0) return;
    this.release();
    handle.readStart();
  }

  /** Gives the socket back to Node. What was read of it and not told goes into its stream. */
  release(): void {
    if (!this.#attached) return;
    const reading = this.#reading;
    const held = this.#held;
    this.#held = undefined;
    this.#detach();
    if (held !== undefined) this.#tell(held);
    if (reading && !this.#socket.destroyed) this.#handle.readStart();
  }

  /**
   * Whether so much may be written here now, in one call or several: not where it is worth a write of its own, nor behind
   * something that waits in the socket's stream. What is written past the transport has to be preceded by `flush`.
   */
  takes(bytes: number): boolean {
    if (bytes > MAX_BATCHED_BYTES) return false;
    if (writtenBytes + bytes > OUTPUT.length || (writtenRows + 1) * ROW > OUTPUT_ROWS.length) {
      flushWrites();
    }
    return this.#attached && this.#socket.writableLength === 0 && this.#socket.writable;
  }

  /** Has everything sent that was written. */
  flush(): void {
    if (this.#writtenAt === flushes) flushWrites();
  }

  /** Latin1 text for which `takes` said yes. */
  writeText(text: string): void {
    OUTPUT.latin1Write(text, writtenBytes, text.length);
    this.#written(text.length);
  }

  /** Bytes for which `takes` said yes; only lent. */
  writeBytes(bytes: Buffer): void {
    const { length } = bytes;
    if (length > LOOPED_BYTES) OUTPUT.set(bytes, writtenBytes);
    else {
      for (let at = 0; at < length; at++) OUTPUT[writtenBytes + at] = bytes[at] as number;
    }
    this.#written(length);
  }

  #written(bytes: number): void {
    const last = (writtenRows - 1) * ROW;
    if (this.#writtenAt === flushes && OUTPUT_ROWS[last] === this.#slot) {
      OUTPUT_ROWS[last + 3] = (OUTPUT_ROWS[last + 3] as number) + bytes;
    } else {
      const at = writtenRows * ROW;
      OUTPUT_ROWS[at] = this.#slot;
      OUTPUT_ROWS[at + 1] = this.generation;
      OUTPUT_ROWS[at + 2] = writtenBytes;
      OUTPUT_ROWS[at + 3] = bytes;
      writtenRows++;
      this.#writtenAt = flushes;
    }
    writtenBytes += bytes;
    if (inBatch || flushPlanned) return;
    flushPlanned = true;
    process.nextTick(flushWrites);
  }

  onRow(offset: number, length: number): void {
    if (!this.#attached || this.#reading) {
      this.#tell(length > 0 ? (INPUT.subarray(offset, offset + length) as Buffer) : length);
    } else {
      this.#held = length > 0 ? Buffer.from(INPUT.subarray(offset, offset + length)) : length;
    }
  }

  /** What the kernel did not take, or an error's number. */
  onRest(rest: Buffer | number): void {
    if (this.#socket.destroyed) return;
    if (typeof rest === 'number') this.#socket.destroy(systemError(rest, 'write'));
    else if (this.#socket.writableEnded) {
      // Whoever ends a socket flushes it first: see `SocketWriter.settle`.
      this.#socket.destroy(new Error('The socket was ended before it was flushed'));
    } else {
      this.#socket.write(rest);
      this.#owner.onUnsent();
    }
  }

  #tell(what: Buffer | number): void {
    const socket = this.#socket;
    if (socket.destroyed) return;
    if (typeof what !== 'number') this.#owner.onPiece(what);
    else if (what < 0) socket.destroy(systemError(what, 'read'));
    else {
      // As Node tells it. Nothing more will come, but our side may still be written.
      this.#setReading(false);
      this.#ended = true;
      socket.push(null);
      socket.read(0);
    }
  }

  #setReading(reading: boolean): number {
    if (!this.#attached || this.#ended || transport === undefined) return 0;
    const status = transport.setReading(this.#slot, this.generation, reading ? 1 : 0);
    this.#reading = reading && status === 0;
    if (this.#reading && this.#held !== undefined) process.nextTick(tellHeld, this);
    return status;
  }

  /** Called by `tellHeld`. */
  tellHeld(): void {
    const held = this.#held;
    if (held === undefined || !this.#reading) return;
    this.#held = undefined;
    this.#tell(held);
  }

  #detach(): void {
    if (!this.#attached) return;
    this.flush();
    this.#attached = false;
    this.#reading = false;
    transport?.detach(this.#slot, this.generation);
    if (inBatch) retiredSlots.push(this.#slot);
    else free(this.#slot);
    const handle = this.#handle as Partial<TcpHandle>;
    delete handle.readStart;
    delete handle.readStop;
    delete handle.shutdown;
    delete handle.close;
    delete handle.reset;
    this.#owner.onReleased();
  }
}

function tellHeld(socket: NativeSocket): void {
  socket.tellHeld();
}

function systemError(number: number, call: 'read' | 'write'): NodeJS.ErrnoException {
  const code = getSystemErrorName(number);
  return Object.assign(new Error(`${call} ${code}`), { code, errno: number, syscall: call });
}
