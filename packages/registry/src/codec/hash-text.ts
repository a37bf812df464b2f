import { randomInt } from 'node:crypto';

const MULTIPLIER = 0x5bd1_e995;

/** Another one in each process, so that nobody can choose texts that collide. */
export const HASH_SEED = randomInt(2 ** 32) | 0;

/** A step of MurmurHash's kind: what two texts do to the hash depends on all that came before, the seed first. */
export function mix(hash: number, unit: number): number {
  const mixed = Math.imul(hash ^ unit, MULTIPLIER);
  return mixed ^ (mixed >>> 15);
}

/** Goes on from `hash` over the UTF-16 code units of a text. 32 bits, signed. */
export function hashOn(hash: number, text: string): number {
  let on = hash;
  for (let at = 0; at < text.length; at++) on = mix(on, text.charCodeAt(at));
  return on;
}

export function hashText(text: string): number {
  return hashOn(HASH_SEED, text);
}
