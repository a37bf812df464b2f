import { HASH_SEED, hashText, mix } from '../codec/hash-text.ts';
import { HashChains, NO_SLOT } from '../keys/hash-chains.ts';
import type { RecordHost } from './record-host.ts';

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
  readonly #chains = new HashChains();
  readonly #keys: (string | undefined)[] = [];
  readonly #free: number[] = [];

  /** Keys of those whose place has this hash; nearly always at most one. */
  at(hash: number): readonly string[] {
    const chains = this.#chains;
    let keys: string[] | undefined;
    for (let slot = chains.first(hash); slot !== NO_SLOT; slot = chains.after(slot)) {
      const key = chains.hashAt(slot) === hash ? this.#keys[slot] : undefined;
      if (key === undefined) continue;
      if (keys) keys.push(key);
      else keys = [key];
    }
    return keys ?? NO_KEYS;
  }

  add(hash: number, key: string): void {
    if (this.#find(hash, key) !== NO_SLOT) return;
    const slot = this.#free.pop() ?? this.#keys.length;
    this.#keys[slot] = key;
    this.#chains.link(slot, hash);
  }

  remove(hash: number, key: string): void {
    const slot = this.#find(hash, key);
    if (slot === NO_SLOT) return;
    this.#chains.unlink(slot);
    this.#keys[slot] = undefined;
    this.#free.push(slot);
  }

  #find(hash: number, key: string): number {
    const chains = this.#chains;
    let slot = chains.first(hash);
    while (slot !== NO_SLOT && (chains.hashAt(slot) !== hash || this.#keys[slot] !== key)) {
      slot = chains.after(slot);
    }
    return slot;
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
