/**
 * The engine's request parser and body decoder beside the runtime's own, llhttp, over generated streams of requests:
 *
 *   node bench/fuzz/http-parser.ts [--cases 1000000] [--seed 1] [--from 0]
 *
 * Case N of a seed is always the same stream: go on where a run was stopped with `--from N`, and see one case with `--from N
 * --cases 1`. Ends with 1 when it found a difference that no rule excuses.
 */
import { option, progress, report } from '../load/support/report.ts';
import { findDifference } from './find-difference.ts';
import { aCase } from './request-generator.ts';

const cases = option('cases', 1_000_000);
const seed = option('seed', 1);
const from = option('from', 0);

const SHOWN = 20;
const PROGRESS_CASES = 250_000;

const excuses = new Map<string, number>();
const differences = new Map<string, number>();
let agreed = 0;
let shown = 0;

const began = performance.now();
const perSecond = (done: number): string =>
  `${Math.round((done / (performance.now() - began)) * 1_000).toLocaleString('en')} cases/s`;

for (let at = from; at < from + cases; at++) {
  const text = aCase(seed, at);
  const comparison = findDifference(Buffer.from(text, 'latin1'));
  agreed += comparison.agreed;
  if (comparison.excuse !== undefined) count(excuses, comparison.excuse);
  if (comparison.difference !== undefined) {
    count(differences, comparison.difference.replace(/: .*/s, ''));
    if (shown++ < SHOWN) {
      console.log(`case ${at}: ${comparison.difference}\n  ${JSON.stringify(text)}`);
    }
  }
  const done = at - from + 1;
  if (done % PROGRESS_CASES === 0) {
    progress(`${done.toLocaleString('en')} cases, ${perSecond(done)}; go on with --from ${at + 1}`);
  }
}
if (cases === 1) console.log(JSON.stringify(aCase(seed, from)));

const total = (counts: ReadonlyMap<string, number>): number =>
  [...counts.values()].reduce((sum, each) => sum + each, 0);
await report('fuzz-http-parser', [
  { work: `cases of seed ${seed} from ${from}`, figure: `${cases}, ${perSecond(cases)}` },
  { work: 'requests read alike to their end', figure: String(agreed) },
  ...[...excuses].sort().map(([rule, times]) => ({ work: `excused: ${rule}`, figure: `${times}` })),
  ...[...differences].map(([what, times]) => ({ work: what, figure: `${times}`, met: false })),
  {
    work: 'differences',
    figure: String(total(differences)),
    target: '0',
    met: differences.size === 0,
  },
]);
if (differences.size > 0) process.exitCode = 1;

function count(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}
