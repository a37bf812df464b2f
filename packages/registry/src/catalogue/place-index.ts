import { hashText } from '../codec/hash-text.ts';

/** 30 bits of an address and a port: what `PlaceIndex` finds candidates by. */
export function placeHash(address: string, port: number): number {
  const hash = Math.imul(hashText(address) ^ port, 0x9e3779b1);
  return (hash ^ (hash >>> 15)) & 0x3fff_ffff;
}

/** Which instances may stand at a place, by its hash: as small as it can be, since there is one entry for every instance. */
export class PlaceIndex {
  readonly #keys = new Map<number, string | readonly string[]>();

  /** Keys of those whose place has this hash; nearly always at most one. */
  at(place: number): readonly string[] {
    const keys = this.#keys.get(place);
    if (keys === undefined) return NONE;
    return typeof keys === 'string' ? [keys] : keys;
  }

  add(place: number, key: string): void {
    const present = this.at(place);
    if (present.length === 0) this.#keys.set(place, key);
    else if (!present.includes(key)) this.#keys.set(place, [...present, key]);
  }

  remove(place: number, key: string): void {
    const left = this.at(place).filter((other) => other !== key);
    const [first] = left;
    if (first === undefined) this.#keys.delete(place);
    else this.#keys.set(place, left.length === 1 ? first : left);
  }
}

const NONE: readonly string[] = [];
