import { readFileSync } from 'node:fs';
import { FLAGS } from '../../packages/server/src/config/cli-sources.ts';
import { DEFAULTS } from '../../packages/server/src/config/defaults.ts';
import { configLeaves, environmentName } from '../../packages/server/src/config/leaves.ts';
import { configSchema } from '../../packages/server/src/config/schema.ts';
import { SHORT_VARIABLES } from '../../packages/server/src/config/text-layers.ts';
import { code, page, table } from './markdown.ts';
import { schemaComments } from './schema-comments.ts';

const SCHEMAS = ['dialects-schema.ts', 'schema.ts'].map(
  (name) => new URL(`../../packages/server/src/config/${name}`, import.meta.url),
);

/** Every setting with its default, its names and what it takes. */
export function configurationPage(): string {
  const comments = schemaComments(SCHEMAS.map((path) => readFileSync(path, 'utf8')).join('\n'));
  const sections = Map.groupBy(configLeaves(), ({ path }) =>
    path.length === 1 ? 'top level' : path.slice(0, path.length > 2 ? 2 : 1).join('.'),
  );
  const rowOf = (path: readonly string[]): string[] => {
    const flag = FLAGS.find((entry) => isAt(entry.path, path))?.flag;
    const short = Object.keys(SHORT_VARIABLES).filter((name) => isAt(SHORT_VARIABLES[name], path));
    const fallback = valueAt(path);
    return [
      code(path.join('.')),
      fallback === undefined ? 'none' : code(JSON.stringify(fallback)),
      [expectation(path), comments.get(path.join('.'))].filter(Boolean).join('. '),
      [environmentName(path), ...short, ...(flag === undefined ? [] : [flag])].map(code).join(' '),
    ];
  };
  return page('Configuration', [
    'Every value can be said in five places; the later one wins: the defaults below, `portolan.yaml`, `portolan.<env>.yaml`, the environment, and flags of `portolan serve`. `--set PATH=VALUE` reaches every setting. An unknown key is an error, and all problems are reported at once. `portolan config show` tells where each value in force came from, `portolan config check` reads without starting, `portolan config schema` prints a JSON Schema for editors.',
    ...[...sections].flatMap(([name, leaves]) => [
      `## ${name}`,
      ...(comments.has(name) ? [comments.get(name) ?? ''] : []),
      table(
        ['setting', 'default', 'meaning', 'environment, flag'],
        leaves.map(({ path }) => rowOf(path)),
      ),
    ]),
  ]);
}

function isAt(one: readonly string[] | undefined, other: readonly string[]): boolean {
  return one?.join('.') === other.join('.');
}

function valueAt(path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (value as Readonly<Record<string, unknown>> | undefined)?.[key],
    DEFAULTS,
  );
}

/** What the schema says when it is given something that no setting takes. */
function expectation(path: readonly string[]): string {
  const wrong = structuredClone(DEFAULTS) as Record<string, unknown>;
  const parent = path.slice(0, -1).reduce((value, key) => {
    // A section that is absent by default.
    value[key] ??= {};
    return value[key] as Record<string, unknown>;
  }, wrong);
  parent[path.at(-1) ?? ''] = Symbol.for('nothing takes this');
  const message = configSchema.safeParse(wrong).error?.issues[0]?.message ?? '';
  const options = /^Invalid option: expected one of (.*)$/.exec(message)?.[1];
  const text =
    options?.replaceAll('|', ', ').replace(/^/, 'one of ') ?? message.replace(/^expected /, '');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
