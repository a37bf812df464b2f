import { parse as parseYaml } from 'yaml';
import {
  type ConfigMap,
  type ConfigNode,
  fromPlain,
  mergeNodes,
  nodeAt,
  type Origin,
} from './config-node.ts';
import type { ConfigProblem } from './config-problem.ts';
import { type ConfigLeaf, configLeaves, environmentName } from './leaves.ts';
import { didYouMean, suggest } from './suggestion.ts';
import { plainScalar } from './yaml-layer.ts';

export interface TextLayer {
  readonly layer: ConfigMap;
  readonly problems: readonly ConfigProblem[];
  /** Things that look like a mistake but may be somebody else's business. */
  readonly warnings: readonly string[];
}

/** Short names beside `PORTOLAN_<SECTION>_<KEY>`. */
export const SHORT_VARIABLES: Readonly<Record<string, readonly string[]>> = {
  PORTOLAN_DATA_DIR: ['store', 'dataDir'],
  PORTOLAN_CONTROL: ['control', 'listen'],
  PORTOLAN_GATEWAY: ['gateway', 'listen'],
  PORTOLAN_DOCKER: ['docker', 'engine'],
};

/** Read elsewhere: by the command line, the client, the HTTP engine, or to choose the file. */
const OTHER_VARIABLES = new Set([
  'PORTOLAN_ENV',
  'PORTOLAN_CONFIG',
  'PORTOLAN_REGISTRY',
  'PORTOLAN_NAMESPACE',
  'PORTOLAN_OUTPUT',
  'PORTOLAN_NATIVE_TRANSPORT',
]);

/** What the environment says. Unknown `PORTOLAN_*` names are warned of: an orchestrator makes some by itself. */
export function environmentLayer(
  environment: Readonly<Record<string, string | undefined>>,
): TextLayer {
  const names = new Map<string, readonly string[]>();
  for (const leaf of configLeaves()) names.set(environmentName(leaf.path), leaf.path);
  for (const [name, path] of Object.entries(SHORT_VARIABLES)) names.set(name, path);

  const words: Word[] = [];
  const warnings: string[] = [];
  for (const variable of Object.keys(environment).sort()) {
    const text = environment[variable];
    if (!variable.startsWith('PORTOLAN_') || text === undefined || text === '') continue;
    const path = names.get(variable);
    if (path) words.push({ path, text, origin: { kind: 'environment', variable } });
    else if (!OTHER_VARIABLES.has(variable)) {
      const near = suggest(variable, [...names.keys()]);
      if (near) warnings.push(`${variable} is not used; did you mean ${near}?`);
    }
  }
  return { ...toLayer(words), warnings };
}

/** What flags say: named ones first, then each `--set path=value` in order. */
export function flagLayer(
  named: readonly {
    readonly flag: string;
    readonly path: readonly string[];
    readonly text: string;
  }[],
  sets: readonly string[],
): TextLayer {
  const words: Word[] = named.map(({ flag, path, text }) => ({
    path,
    text,
    origin: { kind: 'flag', flag },
  }));
  const problems: ConfigProblem[] = [];
  const origin: Origin = { kind: 'flag', flag: '--set' };
  const known = configLeaves().map((leaf) => leaf.path.join('.'));
  for (const assignment of sets) {
    const at = assignment.indexOf('=');
    const name = at === -1 ? assignment : assignment.slice(0, at);
    if (at === -1) {
      problems.push({ origin, path: name, message: 'expected PATH=VALUE, as log.level=debug' });
    } else if (!known.includes(name)) {
      problems.push({ origin, path: name, message: `no such setting${didYouMean(name, known)}` });
    } else {
      words.push({ path: name.split('.'), text: assignment.slice(at + 1), origin });
    }
  }
  const made = toLayer(words);
  return { layer: made.layer, problems: [...problems, ...made.problems], warnings: [] };
}

interface Word {
  readonly path: readonly string[];
  readonly text: string;
  readonly origin: Origin;
}

function toLayer(words: readonly Word[]): Pick<TextLayer, 'layer' | 'problems'> {
  let layer: ConfigNode = { type: 'map', origin: { kind: 'default' }, entries: new Map() };
  const problems: ConfigProblem[] = [];
  const leaves = new Map(configLeaves().map((leaf) => [leaf.path.join('.'), leaf]));
  for (const word of words) {
    const leaf = leaves.get(word.path.join('.'));
    const node = leaf && readText(leaf, word);
    if (node) layer = mergeNodes(layer, nodeAt(word.path, node));
    else {
      const message = 'expected a list, as "a,b" or "[a, b]"';
      problems.push({ origin: word.origin, path: word.path.join('.'), message });
    }
  }
  return { layer: layer as ConfigMap, problems };
}

function readText(leaf: ConfigLeaf, { text, origin }: Word): ConfigNode | undefined {
  if (leaf.type === 'text') return { type: 'scalar', origin, value: text };
  if (leaf.type === 'scalar') return { type: 'scalar', origin, value: plainScalar(text.trim()) };
  if (!text.trimStart().startsWith('[')) {
    const items = text.split(',').map((item) => item.trim());
    return fromPlain(
      items.filter((item) => item !== ''),
      origin,
    );
  }
  try {
    const value: unknown = parseYaml(text);
    return Array.isArray(value) ? fromPlain(value, origin) : undefined;
  } catch {
    return undefined;
  }
}
