import type { Revision } from '@portolan/core';
import type { KeyRevisions } from './evaluate-commits.ts';

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

/** Every live key, and where its record is: 32 bytes a key beside the key itself, and nothing for the collector to walk. */
export class RecordTable {
  readonly #slots = new Map<string, number>();
  readonly #chunks: Chunk[] = [];
  readonly #free: number[] = [];
  #used = 0;

  get size(): number {
    return this.#slots.size;
  }

  /** The keys with this prefix and where their records are now, in the order of files and offsets. */
  select(prefix: string): SelectedRecords {
    const found: [string, number][] = [];
    for (const entry of this.#slots) if (entry[0].startsWith(prefix)) found.push(entry);
    found.sort((a, b) => this.#order(a[1]) - this.#order(b[1]));
    const keys: string[] = [];
    const places = new Float64Array(found.length * 3);
    for (const [at, [key, slot]] of found.entries()) {
      const { file, offset, bytes } = this.place(slot);
      keys.push(key);
      places[at * 3] = file;
      places[at * 3 + 1] = offset;
      places[at * 3 + 2] = bytes;
    }
    return { keys, places };
  }

  slots(): Iterable<number> {
    return this.#slots.values();
  }

  /** Undefined when the key is not there. */
  find(key: string): RecordPlace | undefined {
    const slot = this.#slots.get(key);
    return slot === undefined ? undefined : this.place(slot);
  }

  set(key: string, place: RecordPlace, create: Revision, modify: Revision): void {
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      slot = this.#free.pop() ?? this.#used++;
      this.#slots.set(key, slot);
    }
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
    const slot = this.#slots.get(key);
    if (slot === undefined) return;
    this.#slots.delete(key);
    const chunk = this.#chunkOf(slot);
    chunk.bytes[slot % CHUNK] = 0;
    this.#free.push(slot);
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
    const slot = this.#slots.get(key);
    if (slot === undefined) return undefined;
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
