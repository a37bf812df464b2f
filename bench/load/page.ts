/**
 * Puts what the benchmarks measured into docs/reference/performance.md: every section between `<!-- result: NAME -->` and
 * `<!-- end -->` whose result is in `bench/results/` is written anew, all else stays.
 *
 *   node bench/load/page.ts
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { RESULTS, type Result } from './support/report.ts';

const PAGE = new URL('../../docs/reference/performance.md', import.meta.url);
const SECTION = /<!-- result: (\S+) -->\n[\s\S]*?<!-- end -->/g;

const results = new Map<string, Result>();
for (const file of await readdir(RESULTS)) {
  const result = JSON.parse(await readFile(new URL(file, RESULTS), 'utf8')) as Result;
  results.set(result.name, result);
}
const page = await readFile(PAGE, 'utf8');
const written = new Set<string>();
const next = page.replaceAll(SECTION, (section: string, name: string) => {
  const result = results.get(name);
  if (!result) return section;
  written.add(name);
  return `<!-- result: ${name} -->\n${toSection(result)}<!-- end -->`;
});
await writeFile(PAGE, next);
for (const name of written) console.log(`written: ${name}`);
for (const name of results.keys()) if (!written.has(name)) console.log(`no section: ${name}`);

function toSection({ command, day, machine, rows }: Result): string {
  const lines = rows.map(({ work, figure, target, met }) => {
    const judged = met === undefined ? '' : met ? 'yes' : '**no**';
    return `| ${work} | ${figure} | ${target ?? ''} | ${judged} |`;
  });
  return [
    `\`${command}\` · ${day} · ${machine}`,
    '',
    '| work | measured | target | met |',
    '|---|---|---|---|',
    ...lines,
    '',
  ].join('\n');
}
