import { HASH_SEED, hashText, mix } from '../codec/hash-text.ts';

export const NO_SLOT = -1;
const FIRST_SLOTS = 256;
const NOT_ASCII = 0x80;

/**
 * Gives every key a small number, its slot, for as long as it is there: what a `Map` of strings would be for, built for a million.
 * It costs 20 bytes a key beside the key, grows without touching the keys, and hashes them where they are, in a string or in
 * the bytes of a file. The hash is seeded, so that nobody can choose names that collide.
 */
export class KeySlots {
  /** Newest slot of each bucket; a power of two of them. */
  #heads = new Int32Array(FIRST_SLOTS).fill(NO_SLOT);
  /** Two by slot, side by side so that they are read together: the next one in its bucket, and the hash of its key. */
  #links = new Int32Array(FIRST_SLOTS * 2);
  readonly #keys: (string | undefined)[] = [];
  readonly #free: number[] = [];

  get size(): number {
    return this.#keys.length - this.#free.length;
  }

  /** Every slot is below it; not every number below it is one. */
  get end(): number {
    return this.#keys.length;
  }

  keyAt(slot: number): string | undefined {
    return this.#keys[slot];
  }

  /** `NO_SLOT` when the key is not there. */
  find(key: string): number {
    return this.#find(key, hashText(key));
  }

  /**
   * As `find` of each, but one step for all of them before the next: where a million keys do not fit into the processor's caches, it
   * fetches what one step needs of many keys at once.
   */
  findMany(keys: readonly string[]): Int32Array {
    const heads = this.#heads;
    const links = this.#links;
    const hashes = new Int32Array(keys.length);
    const slots = new Int32Array(keys.length);
    const found: (string | undefined)[] = new Array(keys.length);
    for (let at = 0; at < keys.length; at++) hashes[at] = hashText(keys[at] ?? '');
    for (let at = 0; at < keys.length; at++) {
      slots[at] = heads[(hashes[at] ?? 0) & (heads.length - 1)] ?? NO_SLOT;
    }
    for (let at = 0; at < keys.length; at++) {
      let slot = slots[at] ?? NO_SLOT;
      while (slot !== NO_SLOT && links[slot * 2 + 1] !== hashes[at]) {
        slot = links[slot * 2] ?? NO_SLOT;
      }
      slots[at] = slot;
    }
    for (let at = 0; at < keys.length; at++) {
      const slot = slots[at] ?? NO_SLOT;
      found[at] = slot === NO_SLOT ? undefined : this.#keys[slot];
    }
    for (let at = 0; at < keys.length; at++) {
      // Another key of the same hash stood before it.
      if (found[at] !== keys[at]) slots[at] = this.#find(keys[at] ?? '', hashes[at] ?? 0);
    }
    return slots;
  }

  /** Slot of the key, which is there from now on. */
  add(key: string): number {
    const hash = hashText(key);
    const present = this.#find(key, hash);
    return present === NO_SLOT ? this.#insert(key, hash) : present;
  }

  /** As `add`, of a key in UTF-8: a string is made only when it is new. */
  addBytes(source: Buffer, from: number, to: number): number {
    let hash = HASH_SEED;
    let bits = 0;
    for (let at = from; at < to; at++) {
      const byte = source[at] ?? 0;
      bits |= byte;
      hash = mix(hash, byte);
    }
    if (bits >= NOT_ASCII) return this.add(source.toString('utf8', from, to));
    for (let slot = this.#first(hash); slot !== NO_SLOT; slot = this.#after(slot)) {
      if (this.#links[slot * 2 + 1] === hash && isText(this.#keys[slot] ?? '', source, from, to)) {
        return slot;
      }
    }
    return this.#insert(source.toString('latin1', from, to), hash);
  }

  /** The slot that the key had, which may be another key's from now on; `NO_SLOT` when it had none. */
  remove(key: string): number {
    const hash = hashText(key);
    const slot = this.#find(key, hash);
    if (slot === NO_SLOT) return NO_SLOT;
    const after = this.#after(slot);
    const bucket = hash & (this.#heads.length - 1);
    let before = this.#heads[bucket] ?? NO_SLOT;
    if (before === slot) this.#heads[bucket] = after;
    else {
      while (this.#after(before) !== slot) before = this.#after(before);
      this.#links[before * 2] = after;
    }
    this.#keys[slot] = undefined;
    this.#free.push(slot);
    return slot;
  }

  #first(hash: number): number {
    return this.#heads[hash & (this.#heads.length - 1)] ?? NO_SLOT;
  }

  #after(slot: number): number {
    return this.#links[slot * 2] ?? NO_SLOT;
  }

  #find(key: string, hash: number): number {
    let slot = this.#first(hash);
    while (slot !== NO_SLOT && (this.#links[slot * 2 + 1] !== hash || this.#keys[slot] !== key)) {
      slot = this.#after(slot);
    }
    return slot;
  }

  #insert(key: string, hash: number): number {
    const slot = this.#free.pop() ?? this.#keys.length;
    if (slot * 2 === this.#links.length) this.#grow();
    this.#keys[slot] = key;
    this.#link(slot, hash);
    return slot;
  }

  #link(slot: number, hash: number): void {
    const bucket = hash & (this.#heads.length - 1);
    this.#links[slot * 2] = this.#heads[bucket] ?? NO_SLOT;
    this.#links[slot * 2 + 1] = hash;
    this.#heads[bucket] = slot;
  }

  /** Only when no slot is free. */
  #grow(): void {
    const before = this.#links;
    const used = before.length / 2;
    this.#links = new Int32Array(used * 4);
    this.#heads = new Int32Array(used * 2).fill(NO_SLOT);
    for (let slot = 0; slot < used; slot++) this.#link(slot, before[slot * 2 + 1] ?? 0);
  }
}

function isText(key: string, source: Buffer, from: number, to: number): boolean {
  if (key.length !== to - from) return false;
  for (let at = from; at < to; at++) if (key.charCodeAt(at - from) !== source[at]) return false;
  return true;
}
