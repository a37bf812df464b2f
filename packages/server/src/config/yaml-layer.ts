import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  parse as parseYaml,
  Scalar,
} from 'yaml';
import type { ConfigEntry, ConfigMap, ConfigNode, Origin } from './config-node.ts';
import type { ConfigProblem } from './config-problem.ts';
import { interpolate } from './interpolate.ts';

/** Enough for any configuration, too little for an alias bomb. */
const MAX_NODES = 200_000;
const MAX_DEPTH = 64;
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

export interface YamlLayerOptions {
  /** Shown in complaints. */
  readonly file: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Reads a YAML text into a layer with the position of every value, with `${VAR}` replaced inside values. */
export function parseYamlLayer(
  text: string,
  options: YamlLayerOptions,
): { readonly layer: ConfigMap; readonly problems: readonly ConfigProblem[] } {
  const lines = new LineCounter();
  const problems: ConfigProblem[] = [];
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });

  const at = (offset: number | undefined): Origin => {
    const { line, col } = lines.linePos(offset ?? 0);
    return { kind: 'file', file: options.file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const empty = (): ConfigMap => ({ type: 'map', origin: at(0), entries: new Map() });
  const complain = (offset: number | undefined, message: string): void => {
    problems.push({ origin: at(offset), path: '', message });
  };

  for (const error of document.errors) complain(error.pos[0], `not valid YAML: ${error.message}`);
  if (problems.length > 0) return { layer: empty(), problems };

  let budget = MAX_NODES;
  const convert = (node: Node | null, depth: number, fallback: number): ConfigNode => {
    const offset = node?.range?.[0] ?? fallback;
    const origin = at(offset);
    if (depth > MAX_DEPTH || --budget < 0) {
      if (budget > -2) complain(offset, 'nested too deeply or too large');
      budget = -2;
      return { type: 'scalar', origin, value: null };
    }
    if (isAlias(node)) return convert(node.resolve(document) ?? null, depth + 1, offset);
    if (isMap(node)) {
      const entries = new Map<string, ConfigEntry>();
      for (const pair of node.items) {
        const key = pair.key as Node | null;
        const keyOffset = key?.range?.[0] ?? offset;
        if (!isScalar(key) || key.value === null || typeof key.value === 'object') {
          complain(keyOffset, 'a key has to be a plain word');
          continue;
        }
        const name = String(key.value);
        if (FORBIDDEN_KEYS.has(name)) {
          complain(keyOffset, `the key "${name}" is never allowed`);
          continue;
        }
        entries.set(name, {
          keyOrigin: at(keyOffset),
          node: convert(pair.value as Node | null, depth + 1, keyOffset),
        });
      }
      return { type: 'map', origin, entries };
    }
    if (isSeq(node)) {
      const items = node.items.map((item) => convert(item as Node | null, depth + 1, offset));
      return { type: 'list', origin, items };
    }
    if (!isScalar(node)) return { type: 'scalar', origin, value: null };
    const { value } = node;
    if (typeof value === 'string') return fromText(value, node, origin);
    if (typeof value === 'number' || typeof value === 'boolean') {
      return { type: 'scalar', origin, value };
    }
    return { type: 'scalar', origin, value: value === null ? null : String(value) };
  };

  const fromText = (value: string, node: Scalar, origin: Origin): ConfigNode => {
    if (!value.includes('${')) return { type: 'scalar', origin, value };
    const result = interpolate(value, options.environment);
    if (!result.ok) {
      problems.push({ origin, path: '', message: result.problem });
      return { type: 'scalar', origin, value: null };
    }
    // A plain scalar takes the type of what the variable holds, as if it stood there; a quoted one stays text.
    if (node.type !== Scalar.PLAIN) return { type: 'scalar', origin, value: result.text };
    return { type: 'scalar', origin, value: plainScalar(result.text) };
  };

  const root = convert(document.contents, 0, 0);
  if (root.type === 'map') return { layer: root, problems };
  if (root.type !== 'scalar' || root.value !== null)
    complain(0, 'expected sections such as "control:"');
  return { layer: empty(), problems };
}

/** Numbers and booleans as YAML reads them; anything else stays the text it is. */
export function plainScalar(text: string): string | number | boolean {
  if (!/^(true|false|[-+.\d][\w.+-]*)$/i.test(text)) return text;
  const value: unknown = parseYaml(text);
  return typeof value === 'number' || typeof value === 'boolean' ? value : text;
}
