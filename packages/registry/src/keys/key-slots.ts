import type { AsciiTexts } from '@portolan/core';
import { HASH_SEED, hashText, mix } from '../codec/hash-text.ts';
import { HashChains, NO_SLOT } from './hash-chains.ts';

const NOT_ASCII = 0x80;

/**
 * Gives every key a small number, its slot, for as long as it is there: what a `Map` of strings would be for, built for a million.
 * It costs 20 bytes a key beside the key, and 4 more where many are looked for at once; it grows without touching the keys, and
 * hashes them where they are, in a string or in bytes. The hash is seeded, so that nobody can choose names that collide.
 */
export class KeySlots {
  readonly #chains = new HashChains();
  readonly #keys: (string | undefined)[] = [];
  readonly #free: number[] = [];
  /** By slot, the one that was asked for after it when many were; a guess, also where the slot has another key by now. */
  #followers = new Int32Array(0);

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
    const chains = this.#chains;
    const hashes = new Int32Array(keys.length);
    const slots = new Int32Array(keys.length);
    const found: (string | undefined)[] = new Array(keys.length);
    for (let at = 0; at < keys.length; at++) hashes[at] = hashText(keys[at] ?? '');
    for (let at = 0; at < keys.length; at++) slots[at] = chains.first(hashes[at] ?? 0);
    for (let at = 0; at < keys.length; at++) {
      let slot = slots[at] ?? NO_SLOT;
      while (slot !== NO_SLOT && chains.hashAt(slot) !== hashes[at]) slot = chains.after(slot);
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

  /**
   * As `find` of each text behind `prefix`. Who asks for many asks for the same ones in the same order again and again, so that each is
   * looked for first where the one after the one before it was found: a comparison, where a search of a million keys is one of several
   * places in memory that are far from each other.
   */
  findAll(prefix: string, { bytes, bounds }: AsciiTexts): number[] {
    const slots: number[] = [];
    const start = hashText(prefix);
    if (this.#followers.length < this.end)
      this.#followers = withFollowers(this.#followers, this.end);
    let before = NO_SLOT;
    for (let at = 0; at < bounds.length; at += 2) {
      const from = bounds[at] ?? 0;
      const to = bounds[at + 1] ?? 0;
      let slot = before === NO_SLOT ? NO_SLOT : (this.#followers[before] ?? NO_SLOT);
      if (slot === NO_SLOT || !isJoined(this.#keys[slot], prefix, bytes, from, to)) {
        let hash = start;
        for (let byte = from; byte < to; byte++) hash = mix(hash, bytes[byte] ?? 0);
        slot = this.#findBytes(hash, prefix, bytes, from, to);
        if (before !== NO_SLOT && slot !== NO_SLOT) this.#followers[before] = slot;
      }
      slots.push(slot);
      // Past one that is not there, the next one still follows.
      if (slot !== NO_SLOT) before = slot;
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
    const present = this.#findBytes(hash, '', source, from, to);
    if (present !== NO_SLOT) return present;
    return this.#insert(source.toString('latin1', from, to), hash);
  }

  /** The slot that the key had, which may be another key's from now on; `NO_SLOT` when it had none. */
  remove(key: string): number {
    const slot = this.find(key);
    if (slot === NO_SLOT) return NO_SLOT;
    this.#chains.unlink(slot);
    this.#keys[slot] = undefined;
    this.#free.push(slot);
    return slot;
  }

  #find(key: string, hash: number): number {
    const chains = this.#chains;
    let slot = chains.first(hash);
    while (slot !== NO_SLOT && (chains.hashAt(slot) !== hash || this.#keys[slot] !== key)) {
      slot = chains.after(slot);
    }
    return slot;
  }

  /** Of a prefix and the ASCII behind it, whose hash is that of both. */
  #findBytes(hash: number, prefix: string, bytes: Uint8Array, from: number, to: number): number {
    const chains = this.#chains;
    let slot = chains.first(hash);
    while (
      slot !== NO_SLOT &&
      (chains.hashAt(slot) !== hash || !isJoined(this.#keys[slot], prefix, bytes, from, to))
    ) {
      slot = chains.after(slot);
    }
    return slot;
  }

  #insert(key: string, hash: number): number {
    const slot = this.#free.pop() ?? this.#keys.length;
    this.#keys[slot] = key;
    this.#chains.link(slot, hash);
    return slot;
  }
}

/** Many are registered in the order in which they are renewed: until somebody asks, the next slot follows. */
function withFollowers(known: Int32Array, slots: number): Int32Array<ArrayBuffer> {
  const followers = new Int32Array(slots + (slots >> 1));
  for (let slot = known.length; slot < followers.length; slot++) followers[slot] = slot + 1;
  followers.set(known);
  return followers;
}

function isJoined(
  key: string | undefined,
  prefix: string,
  bytes: Uint8Array,
  from: number,
  to: number,
): boolean {
  const head = prefix.length;
  if (key?.length !== head + to - from) return false;
  // The end first: it is where keys differ.
  for (let at = to - 1; at >= from; at--) {
    if (key.charCodeAt(head + at - from) !== bytes[at]) return false;
  }
  return key.startsWith(prefix);
}
