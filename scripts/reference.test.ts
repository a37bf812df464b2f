import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { referencePages } from './reference/reference-pages.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const NAMES = ['configuration.md', 'metrics.md', 'cli.md', 'http-api.md', 'compatibility.md'];

describe('the generated reference', () => {
  let pages: ReadonlyMap<string, string>;
  beforeAll(async () => {
    pages = await referencePages();
  });

  test.each(NAMES)('%s is as the code has it; else run `npm run docs`', (name) => {
    expect(readFileSync(`${ROOT}docs/reference/${name}`, 'utf8')).toBe(pages.get(name));
  });

  test('knows every page', () => {
    expect([...pages.keys()]).toEqual(NAMES);
  });

  test('knows every metric that the code names', () => {
    const named = globSync('packages/*/src/**/*.ts', { cwd: ROOT })
      .filter((path) => !path.endsWith('.test.ts'))
      .flatMap((path) => [
        ...readFileSync(`${ROOT}${path}`, 'utf8').matchAll(/'(portolan_[a-z_]+)'/g),
      ])
      .map(([, name]) => name);
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((name) => !pages.get('metrics.md')?.includes(`\`${name}\``))).toEqual([]);
  });
});
