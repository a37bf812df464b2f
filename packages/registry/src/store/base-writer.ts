import { type FileHandle, open, rm } from 'node:fs/promises';
import { renameDurably } from './data-folder.ts';
import type { FrameFile } from './frame-file.ts';
import { checkRecord, FRAME_HEAD_BYTES, writeFrameHead } from './log-frame.ts';
import type { RecordCopy, RecordPlace, RecordTable } from './record-table.ts';

const PART_BYTES = 1024 * 1024;
/** Neighbours on disk, as most records of neighbouring slots are, are read together. */
const WINDOW_BYTES = 256 * 1024;
/** So that the kernel never has much to write at once when a commit waits behind it. */
const SYNC_EVERY_BYTES = 8 * 1024 * 1024;

export interface WrittenBase {
  readonly bytes: number;
  /** Records that were there when it was begun. */
  readonly size: number;
  /** Undefined for one that was gone when its turn came. */
  copyAt(index: number): RecordCopy | undefined;
}

export interface BaseSource {
  readonly table: RecordTable;
  readonly fileOf: (number: number) => FrameFile;
  /** Number of the file that is being written meanwhile. */
  readonly growing: number;
  /** Of the newest record there may be in it. */
  readonly revision: number;
  /** Awaited between parts; throws to give up. */
  readonly turn: () => Promise<void>;
}

/** Copies every live record into a new base, over many turns; on a failure nothing is left behind. */
export async function writeBase(path: string, source: BaseSource): Promise<WrittenBase> {
  const aside = `${path}.new`;
  const file = await open(aside, 'w', 0o600);
  try {
    // Keys that come later are in the logs that follow this base.
    const slots = source.table.slots();
    const writer = new PartWriter(file, source, slots);
    for (let index = 0; index < slots.length; index++) {
      if (writer.isFull(index)) await writer.flush();
      writer.add(index);
    }
    await writer.end();
    await file.sync();
    await file.close();
    renameDurably(aside, path);
    return writer;
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(aside, { force: true });
    throw error;
  }
}

class PartWriter implements WrittenBase {
  readonly #file: FileHandle;
  readonly #source: BaseSource;
  readonly #slots: Uint32Array;
  /** Where the record of each slot was copied from, and to; a million of them have to be cheap. */
  readonly #fromFile: Uint32Array;
  readonly #fromOffset: Float64Array;
  readonly #offset: Float64Array;
  readonly #window = { file: -1, from: 0, to: 0, bytes: Buffer.allocUnsafeSlow(WINDOW_BYTES) };
  #part = Buffer.allocUnsafeSlow(PART_BYTES + FRAME_HEAD_BYTES);
  #filled = FRAME_HEAD_BYTES;
  #count = 0;
  #total = 0;
  #unsynced = 0;
  bytes = 0;

  constructor(file: FileHandle, source: BaseSource, slots: Uint32Array) {
    this.#file = file;
    this.#source = source;
    this.#slots = slots;
    this.#fromFile = new Uint32Array(slots.length);
    this.#fromOffset = new Float64Array(slots.length);
    this.#offset = new Float64Array(slots.length);
  }

  isFull(index: number): boolean {
    const { bytes } = this.#source.table.place(this.#slots[index] ?? 0);
    return this.#filled + bytes > this.#part.length;
  }

  add(index: number): void {
    const { table, fileOf } = this.#source;
    const from = table.place(this.#slots[index] ?? 0);
    // It is gone since: its deletion is in the logs.
    if (from.bytes === 0) return;
    if (this.#filled + from.bytes > this.#part.length) this.#enlarge(from.bytes);
    const at = this.#filled;
    const end = at + from.bytes;
    if (!this.#copy(from, at) || checkRecord(this.#part, at, end) !== from.bytes) {
      throw new Error(`the record at ${from.offset} of ${fileOf(from.file).path} is damaged`);
    }
    this.#fromFile[index] = from.file;
    this.#fromOffset[index] = from.offset;
    this.#offset[index] = this.bytes + at;
    this.#filled = end;
    this.#count++;
  }

  /** Copies the bytes of a record into the part; false when the file does not have them. */
  #copy({ file, offset, bytes }: RecordPlace, at: number): boolean {
    const { fileOf, growing } = this.#source;
    if (file === growing || bytes > WINDOW_BYTES) {
      return fileOf(file).read(this.#part.subarray(at, at + bytes), offset, bytes) === bytes;
    }
    const window = this.#window;
    if (file !== window.file || offset < window.from || offset + bytes > window.to) {
      window.file = file;
      window.from = offset;
      window.to = offset + fileOf(file).read(window.bytes, offset, WINDOW_BYTES);
      if (offset + bytes > window.to) return false;
    }
    const from = offset - window.from;
    window.bytes.copy(this.#part, at, from, from + bytes);
    return true;
  }

  async end(): Promise<void> {
    await this.flush();
    const head = Buffer.alloc(FRAME_HEAD_BYTES);
    const { revision } = this.#source;
    writeFrameHead(head, 0, { kind: 'end', recordBytes: 0, count: this.#total, revision });
    await this.#write(head);
  }

  get size(): number {
    return this.#slots.length;
  }

  copyAt(index: number): RecordCopy | undefined {
    const offset = this.#offset[index] ?? 0;
    if (offset === 0) return undefined;
    return {
      slot: this.#slots[index] ?? 0,
      fromFile: this.#fromFile[index] ?? 0,
      fromOffset: this.#fromOffset[index] ?? 0,
      offset,
    };
  }

  async flush(): Promise<void> {
    if (this.#count > 0) {
      const recordBytes = this.#filled - FRAME_HEAD_BYTES;
      const { revision } = this.#source;
      writeFrameHead(this.#part, 0, { kind: 'part', recordBytes, count: this.#count, revision });
      await this.#write(this.#part.subarray(0, this.#filled));
      this.#total += this.#count;
    }
    this.#filled = FRAME_HEAD_BYTES;
    this.#count = 0;
    await this.#source.turn();
  }

  /** Only between parts: one record is larger than a part. */
  #enlarge(bytes: number): void {
    const larger = Buffer.allocUnsafeSlow(this.#filled + bytes);
    this.#part.copy(larger, 0, 0, this.#filled);
    this.#part = larger;
  }

  async #write(bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      done += (await this.#file.write(bytes, done, bytes.length - done)).bytesWritten;
    }
    this.bytes += bytes.length;
    this.#unsynced += bytes.length;
    if (this.#unsynced <= SYNC_EVERY_BYTES) return;
    await this.#file.datasync();
    this.#unsynced = 0;
  }
}
