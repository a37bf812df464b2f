/**
 * A 32-bit hash of a text, spread evenly: FNV-1a over its UTF-16 units with MurmurHash3's finaliser. The same on every
 * machine, so that gateways agree; not for secrets.
 */
export function hashText(text: string, seed = 0): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return mix(hash);
}

/** One hash of two; not the same when they change places. */
export function mixHashes(a: number, b: number): number {
  return mix(Math.imul(a, 0x85ebca6b) ^ b);
}

function mix(value: number): number {
  let hash = value ^ (value >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
