/** Order of keys by their UTF-8 bytes, which is that of code points: UTF-16 puts surrogates before U+E000 to U+FFFF. */
export function byKeyBytes(a: { readonly key: string }, b: { readonly key: string }): number {
  const one = a.key;
  const other = b.key;
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at++) {
    const x = one.charCodeAt(at);
    const y = other.charCodeAt(at);
    if (x !== y) return rank(x) - rank(y);
  }
  return one.length - other.length;
}

function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
