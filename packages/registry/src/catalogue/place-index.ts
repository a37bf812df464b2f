const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** 30 bits of an address and a port: what `PlaceIndex` finds candidates by. */
export function placeHash(address: string, port: number): number {
  let hash = FNV_OFFSET;
  for (let at = 0; at < address.length; at++) {
    hash = Math.imul(hash ^ address.charCodeAt(at), FNV_PRIME);
  }
  hash = Math.imul(hash ^ (port & 0xff), FNV_PRIME);
  hash = Math.imul(hash ^ (port >> 8), FNV_PRIME);
  return (hash >>> 0) & 0x3fff_ffff;
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
