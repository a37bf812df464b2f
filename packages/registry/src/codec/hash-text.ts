const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** FNV-1a over the UTF-16 code units of a text, going on from `hash`. 32 bits, unsigned. */
export function hashOn(hash: number, text: string): number {
  let on = hash;
  for (let at = 0; at < text.length; at++) on = Math.imul(on ^ text.charCodeAt(at), FNV_PRIME);
  return on >>> 0;
}

export function hashText(text: string): number {
  return hashOn(FNV_OFFSET, text);
}
