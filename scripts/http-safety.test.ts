import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PAGE = readFileSync(new URL('../docs/explanation/http-safety.md', import.meta.url), 'utf8');
const TEST_FILES = ['packages/*/src/**/*.test.ts', 'e2e/**/*.e2e.ts', 'bench/**/*.test.ts'].flatMap(
  (pattern) => globSync(pattern, { cwd: ROOT }),
);

/** A test as the page names it: the end of its file's path, and its title, with the row's name behind it where a table makes it. */
interface NamedTest {
  readonly file: string;
  readonly titles: readonly string[];
}

/** The rows of all tables, by cell. */
function rowsOf(markdown: string): string[][] {
  const lines = markdown.split('\n').filter((line) => line.startsWith('|'));
  const isRow = (line: string, at: number): boolean =>
    !/^\|[-|]+$/.test(line) && !/^\|[-|]+$/.test(lines[at + 1] ?? '');
  return lines.filter(isRow).map((line) => line.slice(1, -1).split(' | '));
}

/** `` `file.test.ts` title › row; `other.test.ts` title `` */
function testsOf(cell: string): NamedTest[] {
  return cell.split(/;\s*(?=`)/).flatMap((reference) => {
    const found = /^\s*`([\w/-]+\.(?:test|e2e)\.ts)` (.*\S)\s*$/.exec(reference);
    if (found === null) return [];
    const [, file = '', titles = ''] = found;
    return [{ file, titles: titles.split(' › ').map((title) => title.replaceAll('`', '')) }];
  });
}

/** Why there is no such test; undefined when there is one. */
function missing({ file, titles }: NamedTest): string | undefined {
  const paths = TEST_FILES.filter((path) => path.endsWith(`/${file}`));
  if (paths.length !== 1) return `${paths.length} files are called ${file}`;
  const source = readFileSync(`${ROOT}${paths[0]}`, 'utf8').replaceAll('\\u2019', '’');
  const lost = titles.find((title) => !isQuoted(source, title));
  return lost === undefined ? undefined : `${file} has no "${lost}"`;
}

function isQuoted(source: string, text: string): boolean {
  return ["'", '"', '`'].some((quote) => source.includes(`${quote}${text}${quote}`));
}

const ROWS = rowsOf(PAGE);

describe('the page of HTTP safety', () => {
  test('names for every rule and attack a test, or where its defence is tested', () => {
    expect(ROWS.length).toBeGreaterThan(50);
    const without = ROWS.filter((row) => {
      const cell = row.at(-1) ?? '';
      return testsOf(cell).length === 0 && !/`packages\/[\w/-]+`|^ *Not applicable: /.test(cell);
    });
    expect(without).toEqual([]);
  });

  test('names only tests that exist', () => {
    const lost = ROWS.flatMap((row) => testsOf(row.at(-1) ?? '')).flatMap(
      (named) => missing(named) ?? [],
    );
    expect(lost).toEqual([]);
  });

  test.each([
    '`no-such-file.test.ts` a title',
    '`request-head.test.ts` no such title',
    '`request-head.test.ts` a request head is refused › no such row',
  ])('would notice %s', (cell) => {
    expect(testsOf(cell).map(missing)).not.toContain(undefined);
    expect(testsOf(cell)).toHaveLength(1);
  });
});
