import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PAGES = ['README.md', ...globSync('docs/**/*.md', { cwd: ROOT })].filter((page) =>
  existsSync(join(ROOT, page)),
);

/** The targets of links and images, without what stands in code. */
function linksOf(markdown: string): string[] {
  const prose = markdown.replaceAll(/```[\s\S]*?```|`[^`\n]*`/g, '');
  return [
    ...prose.matchAll(/\]\(\s*<?([^)\s>]+)/g),
    ...prose.matchAll(/^\s*\[[^\]]+\]:\s*(\S+)/gm),
  ].map(([, target = '']) => target);
}

/** The names under which headings can be linked to, as the usual renderers make them. */
function anchorsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-'),
  );
}

function brokenLinks(page: string, markdown: string): string[] {
  return linksOf(markdown).filter((link) => {
    if (/^[a-z][a-z0-9+.-]*:/i.test(link)) return false;
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? join(ROOT, page) : join(ROOT, dirname(page), decodeURI(path));
    if (!existsSync(target)) return true;
    if (anchor === undefined || !target.endsWith('.md')) return false;
    return !anchorsOf(readFileSync(target, 'utf8')).includes(anchor);
  });
}

describe('relative links', () => {
  test.each(PAGES)('of %s lead somewhere', (page) => {
    expect(brokenLinks(page, readFileSync(join(ROOT, page), 'utf8'))).toEqual([]);
  });

  test.each([
    '[a](docs/no-such-page.md)',
    '![a](no-such-picture.png)',
    '[a]\n\n[a]: ./no-such-page.md',
    '[a](README.md#no-such-heading)',
  ])('that lead nowhere are found: %j', (markdown) => {
    expect(brokenLinks('README.md', markdown)).toHaveLength(1);
  });

  test('in code are no links', () => {
    expect(brokenLinks('README.md', '`[a](b)`\n```\n[a](b)\n```')).toEqual([]);
  });
});
