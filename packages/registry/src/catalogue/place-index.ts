import { HASH_SEED, hashText, mix } from '../codec/hash-text.ts';
import type { RecordHost } from './record-host.ts';

const NONE = -1;
const FIRST_ENTRIES = 256;
const NO_KEYS: readonly string[] = [];

/** A hash of an address and a port: what `PlaceIndex` finds candidates by. */
export function placeHash(host: RecordHost, port: number): number {
  return mix(typeof host === 'number' ? mix(HASH_SEED, host) : hashText(host), port);
}

/**
 * Which instances may stand at a place of a service, by a hash of both. One table for all services, with 20 bytes an instance: a map
 * for each of ten thousand services takes twice that, and is slow to fill.
 */
export class PlaceTable {
  /** Newest entry of each bucket; a power of two of them. */
  #heads = new Int32Array(FIRST_ENTRIES).fill(NONE);
  /** By entry: the next one of its bucket, and the hash of its place. */
  #next = new Int32Array(FIRST_ENTRIES);
  #hashes = new Int32Array(FIRST_ENTRIES);
  readonly #keys: (string | undefined)[] = [];
  readonly #free: number[] = [];

  /** Keys of those whose place has this hash; nearly always at most one. */
  at(hash: number): readonly string[] {
    let keys: string[] | undefined;
    for (let entry = this.#first(hash); entry !== NONE; entry = this.#after(entry)) {
      const key = this.#hashes[entry] === hash ? this.#keys[entry] : undefined;
      if (key === undefined) continue;
      if (keys) keys.push(key);
      else keys = [key];
    }
    return keys ?? NO_KEYS;
  }

  add(hash: number, key: string): void {
    for (let entry = this.#first(hash); entry !== NONE; entry = this.#after(entry)) {
      if (this.#hashes[entry] === hash && this.#keys[entry] === key) return;
    }
    const entry = this.#free.pop() ?? this.#keys.length;
    if (entry === this.#next.length) this.#grow();
    this.#keys[entry] = key;
    this.#hashes[entry] = hash;
    this.#link(entry, hash);
  }

  remove(hash: number, key: string): void {
    let before = NONE;
    let entry = this.#first(hash);
    while (entry !== NONE && (this.#hashes[entry] !== hash || this.#keys[entry] !== key)) {
      before = entry;
      entry = this.#after(entry);
    }
    if (entry === NONE) return;
    if (before === NONE) this.#heads[this.#bucket(hash)] = this.#after(entry);
    else this.#next[before] = this.#after(entry);
    this.#keys[entry] = undefined;
    this.#free.push(entry);
  }

  #bucket(hash: number): number {
    return hash & (this.#heads.length - 1);
  }

  #first(hash: number): number {
    return this.#heads[this.#bucket(hash)] ?? NONE;
  }

  #after(entry: number): number {
    return this.#next[entry] ?? NONE;
  }

  #link(entry: number, hash: number): void {
    const bucket = this.#bucket(hash);
    this.#next[entry] = this.#heads[bucket] ?? NONE;
    this.#heads[bucket] = entry;
  }

  /** Only when no entry is free. */
  #grow(): void {
    const used = this.#next.length;
    const hashes = new Int32Array(used * 2);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
    this.#next = new Int32Array(used * 2);
    this.#heads = new Int32Array(used * 2).fill(NONE);
    for (let entry = 0; entry < used; entry++) this.#link(entry, hashes[entry] ?? 0);
  }
}

/** The places of one service. */
export class PlaceIndex {
  readonly #table: PlaceTable;
  readonly #service: number;

  constructor(table: PlaceTable, serviceId: string) {
    this.#table = table;
    this.#service = hashText(serviceId);
  }

  /** Keys of those whose place has this hash, and perhaps of others: who asks looks at their service and address. */
  at(place: number): readonly string[] {
    return this.#table.at(this.#hash(place));
  }

  add(place: number, key: string): void {
    this.#table.add(this.#hash(place), key);
  }

  remove(place: number, key: string): void {
    this.#table.remove(this.#hash(place), key);
  }

  #hash(place: number): number {
    return mix(place, this.#service);
  }
}
