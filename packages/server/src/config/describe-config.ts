import { type ConfigNode, formatOrigin, formatPath, toPlain } from './config-node.ts';

/** One set value, for people. */
export interface ConfigLine {
  readonly path: string;
  readonly value: unknown;
  readonly from: string;
}

const SECRET = /secret|password|passwd|token|credential|private[-_]?key|authorization|api[-_]?key/i;
const MASK = '********';

/** Every value with where it was said, in order; what looks like a secret is masked. */
export function describeConfig(
  merged: ConfigNode,
  options: { readonly mask: boolean } = { mask: true },
): ConfigLine[] {
  const lines: ConfigLine[] = [];
  const walk = (node: ConfigNode, path: readonly (string | number)[]): void => {
    if (node.type === 'map') {
      for (const [key, entry] of node.entries) walk(entry.node, [...path, key]);
    } else if (node.type === 'list' && node.items.some((item) => item.type !== 'scalar')) {
      for (const [index, item] of node.items.entries()) walk(item, [...path, index]);
    } else {
      lines.push({
        path: formatPath(path),
        value: options.mask ? shown(node, path) : toPlain(node),
        from: formatOrigin(node.origin),
      });
    }
  };
  walk(merged, []);
  return lines;
}

function shown(node: ConfigNode, path: readonly (string | number)[]): unknown {
  const secret = path.some((part) => typeof part === 'string' && SECRET.test(part));
  if (node.type === 'list') return node.items.map((item) => shown(item, path));
  if (node.type === 'map') return undefined;
  if (secret) return MASK;
  return typeof node.value === 'string' ? maskUserInfo(node.value) : node.value;
}

/** `redis://user:secret@host` keeps its host. */
function maskUserInfo(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^@/\s]+@/i, `$1${MASK}@`);
}
