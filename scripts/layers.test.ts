import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import {
  acyclic,
  declaredImports,
  direction,
  ownIndex,
  publishedSubpaths,
  pureCore,
  testFoldersOnlyInTests,
  testingOnlyInTests,
} from './layers/import-rules.ts';
import { LAYER_EXCEPTIONS } from './layers/layer-exceptions.ts';
import { readSourceTree, type SourceTree, toSourceFile } from './layers/source-tree.ts';
import { injectedTime, namedExports, namedSubjects, shortFiles } from './layers/text-rules.ts';
import type { LayerRule } from './layers/violation.ts';

const RULES: readonly LayerRule[] = [
  direction,
  testFoldersOnlyInTests,
  testingOnlyInTests,
  declaredImports,
  publishedSubpaths,
  ownIndex,
  pureCore,
  acyclic,
  namedExports,
  injectedTime,
  namedSubjects,
  shortFiles,
];
const TREE = readSourceTree(fileURLToPath(new URL('..', import.meta.url)));

describe('the packages', () => {
  test.each(RULES.map((rule) => ({ rule, name: rule.name })))('$name', ({ rule }) => {
    const excepted = new Set(
      LAYER_EXCEPTIONS.filter((entry) => entry.rule === rule.name).map((entry) => entry.path),
    );
    const violations = rule.check(TREE).filter(({ path }) => !excepted.has(path));
    expect(violations.map(({ path, line, what }) => `${path}:${line}: ${what}`)).toEqual([]);
  });

  test('have no exception that nothing needs any more', () => {
    const stale = LAYER_EXCEPTIONS.filter(({ rule, path }) => {
      const judged = RULES.find(({ name }) => name === rule);
      return !judged?.check(TREE).some((violation) => violation.path === path);
    });
    expect(stale).toEqual([]);
  });
});

/** The manifests as they are, over the given modules. */
function aTree(files: Readonly<Record<string, string>>): SourceTree {
  return {
    ...TREE,
    files: Object.entries(files).map(([path, text]) => toSourceFile(`packages/${path}`, text)),
  };
}

const BAD: readonly (readonly [LayerRule, Readonly<Record<string, string>>])[] = [
  [direction, { 'core/src/a.ts': "import { x } from '@portolan/http';" }],
  [direction, { 'gateway/src/a.ts': "import type { x } from '@portolan/registry';" }],
  [direction, { 'adapters/src/a.ts': "export { x } from '@portolan/gateway';" }],
  [direction, { 'http/src/a.ts': "const x = await import('@portolan/client');" }],
  [direction, { 'client/src/a.ts': "let x: import('portolan').X;" }],
  [testingOnlyInTests, { 'http/src/a.ts': "import { x } from '@portolan/testing';" }],
  [testFoldersOnlyInTests, { 'http/src/a.ts': "import { x } from './test-peers/x.ts';" }],
  [declaredImports, { 'core/src/a.ts': "import 'left-pad';" }],
  [declaredImports, { 'core/src/a.ts': "import { test } from 'vitest';" }],
  [declaredImports, { 'client/src/a.test.ts': "import pino from 'pino';" }],
  [declaredImports, { 'client/src/a.ts': "import {\n  x,\n} from '@scope/name/deep';" }],
  [publishedSubpaths, { 'http/src/a.ts': "import { x } from '@portolan/core/src/model.ts';" }],
  [publishedSubpaths, { 'http/src/a.ts': "import { x } from '@portolan/core/dist/index.js';" }],
  [publishedSubpaths, { 'http/src/a.ts': "import { x } from '../../core/src/model.ts';" }],
  [ownIndex, { 'http/src/deep/a.ts': "import { x } from '../index.ts';" }],
  [ownIndex, { 'http/src/a.ts': "import { x } from '@portolan/http';" }],
  [pureCore, { 'core/src/a.ts': "import { isIP } from 'node:net';" }],
  [pureCore, { 'core/src/a.ts': "import { isIP } from 'net';" }],
  [
    acyclic,
    {
      'core/src/a.ts': "import { b } from './b.ts';",
      'core/src/b.ts': "export { c } from './c.ts';",
      'core/src/c.ts': "import type { A } from './a.ts';",
    },
  ],
  [acyclic, { 'core/src/a.ts': "import { a } from './a.ts';" }],
  [namedExports, { 'core/src/index.ts': "export * from './a.ts';" }],
  [namedExports, { 'core/src/index.ts': "export type * from './a.ts';" }],
  [namedExports, { 'core/src/a.ts': 'export default 1;' }],
  [namedExports, { 'core/src/a.ts': 'const a = 1;\nexport { a as default };' }],
  ...[
    'Date.now()',
    'const now = Date.now;',
    'new Date()',
    'setTimeout(f, 1)',
    'globalThis.setTimeout(f, 1)',
    'later(setInterval, 1)',
    'setImmediate(f)',
    "import { setTimeout as sleep } from 'node:timers/promises';",
    "import { setTimeout } from 'node:timers/promises';",
    'performance.now()',
    'const random = Math.random;',
    'AbortSignal.timeout(1)',
    'process.hrtime.bigint()',
    ['`$', '{Date.now()}`'].join(''),
  ].map((text) => [injectedTime, { 'core/src/a.ts': text }] as const),
  [namedSubjects, { 'core/src/utils.ts': '' }],
  [namedSubjects, { 'core/src/helpers/a.ts': '' }],
  [namedSubjects, { 'core/src/common.test.ts': '' }],
  [shortFiles, { 'core/src/a.ts': 'x;\n'.repeat(451) }],
];

const GOOD: readonly (readonly [LayerRule, Readonly<Record<string, string>>])[] = [
  [direction, { 'server/src/a.ts': "import { x } from '@portolan/gateway';" }],
  [direction, { 'core/src/a.ts': "// as import { x } from '@portolan/http' would\nconst a = 1;" }],
  [direction, { 'core/src/a.ts': 'const text = "import { x } from \'@portolan/http\'";' }],
  [testingOnlyInTests, { 'http/src/a.test.ts': "import { x } from '@portolan/testing';" }],
  [testFoldersOnlyInTests, { 'http/src/a.test.ts': "import { x } from './test-peers/x.ts';" }],
  [declaredImports, { 'core/src/a.test.ts': "import { test } from 'vitest';" }],
  [
    publishedSubpaths,
    { 'http/src/a.test.ts': "import { x } from '@portolan/testing/contracts/probe-contract';" },
  ],
  [ownIndex, { 'http/src/a.ts': "import { x } from './deep/index.ts';" }],
  [injectedTime, { 'core/src/a.ts': 'new Date(clock.wallNow()); socket.setTimeout(1);' }],
  [injectedTime, { 'core/src/a.ts': "let t: ReturnType<typeof setTimeout>; say('Date.now()');" }],
  [injectedTime, { 'core/src/a.test.ts': 'Date.now()' }],
  [namedSubjects, { 'core/src/commonality.ts': '' }],
  [shortFiles, { 'core/src/a.ts': 'x;\n'.repeat(450) }],
];

describe('the rules', () => {
  test.each(BAD)('$name fails on %j', (rule, files) => {
    expect(rule.check(aTree(files))).toHaveLength(1);
  });

  test.each(GOOD)('$name passes %j', (rule, files) => {
    expect(rule.check(aTree(files))).toEqual([]);
  });

  test('are all tried', () => {
    expect(new Set(BAD.map(([rule]) => rule))).toEqual(new Set(RULES));
  });
});
