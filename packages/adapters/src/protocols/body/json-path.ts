const IDENTIFIER = /^[A-Za-z_$][A-Za-z0-9_$]*$/;

/** `$.check` and `interval` give `$.check.interval`; `3` gives `[3]`; anything odd is quoted and shortened. */
export function appendKey(path: string, key: PropertyKey): string {
  if (typeof key === 'number') return `${path}[${key}]`;
  const name = String(key);
  if (IDENTIFIER.test(name) && name.length <= 64) return `${path}.${name}`;
  return `${path}[${JSON.stringify(name.length > 64 ? `${name.slice(0, 63)}…` : name)}]`;
}

/** JSON path of a list of keys from `root`. */
export function toJsonPath(keys: readonly PropertyKey[], root = '$'): string {
  return keys.reduce<string>(appendKey, root);
}

/** The keys of a path that `toJsonPath` made, without its root. */
export function fromJsonPath(path: string): (string | number)[] {
  const keys: (string | number)[] = [];
  for (const [, name, index, quoted] of path.matchAll(
    /\.([\w$]+)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/g,
  )) {
    if (name !== undefined) keys.push(name);
    else if (index !== undefined) keys.push(Number(index));
    else if (quoted !== undefined) keys.push(String(JSON.parse(quoted)));
  }
  return keys;
}
