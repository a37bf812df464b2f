/** The end of a chain. */
export const NO_SLOT = -1;
const FIRST_SLOTS = 256;

/**
 * Finds small numbers, slots, by a hash of what stands in them: chains in arrays of numbers, with 12 bytes a slot and nothing for the
 * collector to walk. It grows without touching what stands in the slots.
 */
export class HashChains {
  /** Newest slot of each bucket; a power of two of them. */
  #heads = new Int32Array(FIRST_SLOTS).fill(NO_SLOT);
  /** Two by slot, side by side so that they are read together: the next one in its bucket, and its hash. */
  #links = new Int32Array(FIRST_SLOTS * 2);

  /** Of the bucket of this hash, which others share; `NO_SLOT` when it is empty. */
  first(hash: number): number {
    return this.#heads[hash & (this.#heads.length - 1)] ?? NO_SLOT;
  }

  after(slot: number): number {
    return this.#links[slot * 2] ?? NO_SLOT;
  }

  hashAt(slot: number): number {
    return this.#links[slot * 2 + 1] ?? 0;
  }

  /** Puts a slot in, which is one of those that were or the first that was not. */
  link(slot: number, hash: number): void {
    if (slot * 2 === this.#links.length) this.#grow();
    this.#put(slot, hash);
  }

  unlink(slot: number): void {
    const bucket = this.hashAt(slot) & (this.#heads.length - 1);
    const next = this.after(slot);
    let before = this.#heads[bucket] ?? NO_SLOT;
    if (before === slot) {
      this.#heads[bucket] = next;
      return;
    }
    while (this.after(before) !== slot) before = this.after(before);
    this.#links[before * 2] = next;
  }

  #put(slot: number, hash: number): void {
    const bucket = hash & (this.#heads.length - 1);
    this.#links[slot * 2] = this.#heads[bucket] ?? NO_SLOT;
    this.#links[slot * 2 + 1] = hash;
    this.#heads[bucket] = slot;
  }

  /** Only when every slot is in a chain. */
  #grow(): void {
    const before = this.#links;
    const used = before.length / 2;
    this.#links = new Int32Array(used * 4);
    this.#heads = new Int32Array(used * 2).fill(NO_SLOT);
    for (let slot = 0; slot < used; slot++) this.#put(slot, before[slot * 2 + 1] ?? 0);
  }
}
