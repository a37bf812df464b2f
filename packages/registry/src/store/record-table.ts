import type { Revision } from '@portolan/core';
import { NO_SLOT } from '../keys/hash-chains.ts';
import { KeySlots } from '../keys/key-slots.ts';
import type { KeyRevisions } from './evaluate-commits.ts';
import type { RecordView } from './log-frame.ts';

/** Where a record is. */
export interface RecordPlace {
  /** Number of the file among those that are open. */
  readonly file: number;
  readonly offset: number;
  readonly bytes: number;
}

/** Keys, and file, offset and bytes of each in turn. */
export interface SelectedRecords {
  readonly keys: readonly string[];
  readonly places: Float64Array;
}

/** A record that stands at two places. */
export interface RecordCopy {
  readonly slot: number;
  readonly fromFile: number;
  readonly fromOffset: number;
  readonly offset: number;
}

const CHUNK = 16_384;

interface Chunk {
  readonly file: Uint32Array;
  readonly bytes: Uint32Array;
  readonly offset: Float64Array;
  readonly create: Float64Array;
  readonly modify: Float64Array;
}

/** Every live key, and where its record is: 32 bytes a key beside the key's slot, and nothing for the collector to walk. */
export class RecordTable {
  readonly #slots = new KeySlots();
  readonly #chunks: Chunk[] = [];

  get size(): number {
    return this.#slots.size;
  }

  /** The keys with this prefix and where their records are now, in the order of files and offsets. */
  select(prefix: string): SelectedRecords {
    const slots: number[] = [];
    let isInOrder = true;
    let last = 0;
    for (let slot = 0; slot < this.#slots.end; slot++) {
      if (this.#slots.keyAt(slot)?.startsWith(prefix) !== true) continue;
      slots.push(slot);
      const order = this.#order(slot);
      isInOrder &&= order > last;
      last = order;
    }
    // As they are read at a start, slots follow the files.
    if (!isInOrder) slots.sort((a, b) => this.#order(a) - this.#order(b));
    const keys: string[] = [];
    const places = new Float64Array(slots.length * 3);
    for (let at = 0; at < slots.length; at++) {
      const slot = slots[at] ?? 0;
      const chunk = this.#chunkOf(slot);
      keys.push(this.#slots.keyAt(slot) ?? '');
      places[at * 3] = chunk.file[slot % CHUNK] ?? 0;
      places[at * 3 + 1] = chunk.offset[slot % CHUNK] ?? 0;
      places[at * 3 + 2] = chunk.bytes[slot % CHUNK] ?? 0;
    }
    return { keys, places };
  }

  slots(): Uint32Array {
    const slots = new Uint32Array(this.#slots.end);
    let count = 0;
    for (let slot = 0; slot < this.#slots.end; slot++) {
      if (this.#slots.keyAt(slot) !== undefined) slots[count++] = slot;
    }
    return slots.subarray(0, count);
  }

  /** Undefined when the key is not there. */
  find(key: string): RecordPlace | undefined {
    const slot = this.#slots.find(key);
    return slot === NO_SLOT ? undefined : this.place(slot);
  }

  set(key: string, place: RecordPlace, create: Revision, modify: Revision): void {
    this.#put(this.#slots.add(key), place, create, modify);
  }

  /** Of a record as it is in a file. */
  setRecord(record: RecordView, file: number, offset: number): void {
    const { source, keyFrom, keyTo, bytes, createRevision, modifyRevision } = record;
    const slot = this.#slots.addBytes(source, keyFrom, keyTo);
    this.#put(slot, { file, offset, bytes }, createRevision, modifyRevision);
  }

  #put(slot: number, place: RecordPlace, create: Revision, modify: Revision): void {
    const chunk = this.#chunkOf(slot);
    const at = slot % CHUNK;
    chunk.file[at] = place.file;
    chunk.bytes[at] = place.bytes;
    chunk.offset[at] = place.offset;
    chunk.create[at] = create;
    chunk.modify[at] = modify;
  }

  /** The record was copied: it is in `file` at `offset` from now on, unless it is not where it was copied from. */
  move(copy: RecordCopy, file: number): void {
    const chunk = this.#chunkOf(copy.slot);
    const at = copy.slot % CHUNK;
    if (chunk.bytes[at] === 0) return;
    if (chunk.file[at] !== copy.fromFile || chunk.offset[at] !== copy.fromOffset) return;
    chunk.file[at] = file;
    chunk.offset[at] = copy.offset;
  }

  delete(key: string): void {
    const slot = this.#slots.remove(key);
    if (slot !== NO_SLOT) this.#chunkOf(slot).bytes[slot % CHUNK] = 0;
  }

  /** Of no bytes when nothing is there any more. */
  place(slot: number): RecordPlace {
    const chunk = this.#chunkOf(slot);
    const at = slot % CHUNK;
    return {
      file: chunk.file[at] ?? 0,
      offset: chunk.offset[at] ?? 0,
      bytes: chunk.bytes[at] ?? 0,
    };
  }

  revisions(key: string): KeyRevisions | undefined {
    const slot = this.#slots.find(key);
    if (slot === NO_SLOT) return undefined;
    const chunk = this.#chunkOf(slot);
    const at = slot % CHUNK;
    return { createRevision: chunk.create[at] ?? 0, modifyRevision: chunk.modify[at] ?? 0 };
  }

  /** Files are smaller than 2^40 bytes. */
  #order(slot: number): number {
    const chunk = this.#chunkOf(slot);
    const at = slot % CHUNK;
    return (chunk.file[at] ?? 0) * 2 ** 40 + (chunk.offset[at] ?? 0);
  }

  #chunkOf(slot: number): Chunk {
    const index = Math.floor(slot / CHUNK);
    let chunk = this.#chunks[index];
    if (!chunk) {
      chunk = {
        file: new Uint32Array(CHUNK),
        bytes: new Uint32Array(CHUNK),
        offset: new Float64Array(CHUNK),
        create: new Float64Array(CHUNK),
        modify: new Float64Array(CHUNK),
      };
      this.#chunks[index] = chunk;
    }
    return chunk;
  }
}
