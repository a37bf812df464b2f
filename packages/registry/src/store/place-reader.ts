import type { Entry } from '@portolan/core';
import type { FrameFile } from './frame-file.ts';
import { checkRecord, keyOf, readValue, viewRecord } from './log-frame.ts';
import type { RecordPlace, SelectedRecords } from './record-table.ts';
import { damaged } from './store-fault.ts';

/** Records this near to each other are read together. */
const WINDOW_BYTES = 1024 * 1024;

/** One entry from its place. */
export function readEntry(file: FrameFile, place: Omit<RecordPlace, 'file'>): Entry {
  const { offset, bytes } = place;
  const buffer = Buffer.allocUnsafe(bytes);
  const read = buffer.subarray(0, file.read(buffer, offset, bytes));
  requireWhole(read, 0, bytes, { file, offset });
  return entryAt(keyOf(viewRecord(read, 0)), read, 0);
}

function requireWhole(
  buffer: Buffer,
  at: number,
  bytes: number,
  { file, offset }: { readonly file: FrameFile; readonly offset: number },
): void {
  if (checkRecord(buffer, at, at + bytes) === bytes) return;
  throw damaged(file.path, `the checksum of the record at ${offset} does not fit`);
}

function entryAt(key: string, buffer: Buffer, at: number): Entry {
  const { createRevision, modifyRevision } = viewRecord(buffer, at);
  return { key, value: readValue(buffer, at), createRevision, modifyRevision };
}

/** Reads the entries at many places, neighbours on disk together; holds their files until it is closed. */
export class PlaceReader {
  readonly #keys: readonly string[];
  readonly #places: Float64Array;
  readonly #files: ReadonlyMap<number, FrameFile>;
  readonly #isChecked: boolean;
  #window = Buffer.allocUnsafeSlow(WINDOW_BYTES);
  #at = 0;

  /** Of `RecordTable.select`, and the files that were open then; `isChecked` when all of them were just found whole. */
  constructor(
    { keys, places }: SelectedRecords,
    files: ReadonlyMap<number, FrameFile>,
    isChecked: boolean,
  ) {
    this.#keys = keys;
    this.#places = places;
    this.#files = files;
    this.#isChecked = isChecked;
  }

  /** The next batch; undefined when there is none. */
  next(): readonly Entry[] | undefined {
    const places = this.#places;
    if (this.#at >= places.length) return undefined;
    const number = places[this.#at] ?? 0;
    const from = places[this.#at + 1] ?? 0;
    let to = from;
    let end = this.#at;
    for (; end < places.length; end += 3) {
      const next = (places[end + 1] ?? 0) + (places[end + 2] ?? 0);
      if (places[end] !== number || (end > this.#at && next - from > WINDOW_BYTES)) break;
      to = next;
    }
    const file = this.#files.get(number);
    if (!file) throw new Error(`file ${number} is not held`);
    if (to - from > this.#window.length) this.#window = Buffer.allocUnsafeSlow(to - from);
    const window = this.#window.subarray(0, file.read(this.#window, from, to - from));
    if (window.length < to - from) throw damaged(file.path, `it ends before ${to}`);
    const entries: Entry[] = [];
    for (; this.#at < end; this.#at += 3) {
      const offset = places[this.#at + 1] ?? 0;
      const bytes = places[this.#at + 2] ?? 0;
      if (!this.#isChecked) requireWhole(window, offset - from, bytes, { file, offset });
      // The text that the table has: whoever keeps it keeps nothing more.
      entries.push(entryAt(this.#keys[this.#at / 3] ?? '', window, offset - from));
    }
    return entries;
  }

  close(): void {
    for (const file of this.#files.values()) file.release();
  }
}
