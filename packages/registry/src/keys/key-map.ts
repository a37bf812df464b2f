import type { AsciiTexts } from '@portolan/core';
import { NO_SLOT } from './hash-chains.ts';
import { KeySlots } from './key-slots.ts';

/** A map of strings for a million entries, in no particular order. */
export class KeyMap<V> {
  readonly #slots = new KeySlots();
  readonly #values: (V | undefined)[] = [];

  get size(): number {
    return this.#slots.size;
  }

  get(key: string): V | undefined {
    const slot = this.#slots.find(key);
    return slot === NO_SLOT ? undefined : this.#values[slot];
  }

  /** As `get` of each; see `KeySlots.findMany`. */
  getMany(keys: readonly string[]): readonly (V | undefined)[] {
    return this.#valuesAt(this.#slots.findMany(keys));
  }

  /** As `get` of each text behind `prefix`; see `KeySlots.findAll`. */
  getAll(prefix: string, texts: AsciiTexts): readonly (V | undefined)[] {
    return this.#valuesAt(this.#slots.findAll(prefix, texts));
  }

  set(key: string, value: V): void {
    this.#values[this.#slots.add(key)] = value;
  }

  delete(key: string): boolean {
    const slot = this.#slots.remove(key);
    if (slot === NO_SLOT) return false;
    this.#values[slot] = undefined;
    return true;
  }

  #valuesAt(slots: ArrayLike<number>): readonly (V | undefined)[] {
    const values: (V | undefined)[] = new Array(slots.length);
    for (let at = 0; at < slots.length; at++) {
      const slot = slots[at] ?? NO_SLOT;
      values[at] = slot === NO_SLOT ? undefined : this.#values[slot];
    }
    return values;
  }

  *values(): Generator<V> {
    for (const value of this.#values) if (value !== undefined) yield value;
  }
}
