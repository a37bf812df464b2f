/** Where a value was said. */
export type Origin =
  | { readonly kind: 'default' }
  | {
      readonly kind: 'file';
      readonly file: string;
      readonly line: number;
      readonly column: number;
    }
  | { readonly kind: 'environment'; readonly variable: string }
  | { readonly kind: 'flag'; readonly flag: string };

export type ConfigScalar = string | number | boolean | null;

/** One value of a layer together with where it was said; nesting as in the file. */
export type ConfigNode =
  | { readonly type: 'scalar'; readonly origin: Origin; readonly value: ConfigScalar }
  | { readonly type: 'list'; readonly origin: Origin; readonly items: readonly ConfigNode[] }
  | ConfigMap;

export interface ConfigMap {
  readonly type: 'map';
  readonly origin: Origin;
  readonly entries: ReadonlyMap<string, ConfigEntry>;
}

export interface ConfigEntry {
  /** Where the key stands, for complaints about the key. */
  readonly keyOrigin: Origin;
  readonly node: ConfigNode;
}

export type ConfigPath = readonly (string | number)[];

/** `control.limits.connections`, `services[2].port`. */
export function formatPath(path: ConfigPath): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += text === '' ? part : `.${part}`;
  }
  return text;
}

/** `portolan.yaml:3:5`, `PORTOLAN_CONTROL`, `--control`, `default`. */
export function formatOrigin(origin: Origin): string {
  switch (origin.kind) {
    case 'default':
      return 'default';
    case 'file':
      return `${origin.file}:${origin.line}:${origin.column}`;
    case 'environment':
      return origin.variable;
    case 'flag':
      return origin.flag;
  }
}

/** A later layer's word over an earlier one: maps merge key by key, lists and scalars replace, null says nothing. */
export function mergeNodes(earlier: ConfigNode, later: ConfigNode): ConfigNode {
  if (later.type === 'scalar' && later.value === null) return earlier;
  if (earlier.type !== 'map' || later.type !== 'map') return later;
  const entries = new Map(earlier.entries);
  for (const [key, entry] of later.entries) {
    const before = entries.get(key);
    entries.set(
      key,
      before ? { keyOrigin: entry.keyOrigin, node: mergeNodes(before.node, entry.node) } : entry,
    );
  }
  return { type: 'map', origin: later.origin, entries };
}

/** The values alone. Keys that hold null are left out: null means "not said". */
export function toPlain(node: ConfigNode): unknown {
  if (node.type === 'scalar') return node.value;
  if (node.type === 'list') return node.items.map(toPlain);
  const plain: Record<string, unknown> = Object.create(null);
  for (const [key, entry] of node.entries) {
    const value = toPlain(entry.node);
    if (value !== null) plain[key] = value;
  }
  return plain;
}

/** Nodes with one origin for a plain value. */
export function fromPlain(value: unknown, origin: Origin): ConfigNode {
  if (Array.isArray(value)) {
    return { type: 'list', origin, items: value.map((item) => fromPlain(item, origin)) };
  }
  if (typeof value === 'object' && value !== null) {
    const entries = new Map<string, ConfigEntry>();
    for (const [key, item] of Object.entries(value)) {
      entries.set(key, { keyOrigin: origin, node: fromPlain(item, origin) });
    }
    return { type: 'map', origin, entries };
  }
  return { type: 'scalar', origin, value: (value ?? null) as ConfigScalar };
}

/** A map that holds `node` at `path` and nothing else. */
export function nodeAt(path: readonly string[], node: ConfigNode): ConfigNode {
  const [first, ...rest] = path;
  if (first === undefined) return node;
  const entry = { keyOrigin: node.origin, node: nodeAt(rest, node) };
  return { type: 'map', origin: node.origin, entries: new Map([[first, entry]]) };
}

/** Where the value at `path` was said, or as near above it as anything was said. */
export function originAt(root: ConfigNode, path: ConfigPath): Origin {
  let node = root;
  for (const part of path) {
    let next: ConfigNode | undefined;
    if (node.type === 'map') next = node.entries.get(String(part))?.node;
    else if (node.type === 'list') next = node.items[Number(part)];
    if (!next) break;
    node = next;
  }
  return node.origin;
}

/** Where the key `key` of the map at `path` stands. */
export function keyOriginAt(root: ConfigNode, path: ConfigPath, key: string): Origin {
  let node: ConfigNode | undefined = root;
  for (const part of path) {
    if (node?.type === 'map') node = node.entries.get(String(part))?.node;
    else if (node?.type === 'list') node = node.items[Number(part)];
  }
  return (
    (node?.type === 'map' ? node.entries.get(key)?.keyOrigin : undefined) ?? originAt(root, path)
  );
}
