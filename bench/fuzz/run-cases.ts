import type { Random } from '@portolan/core';
import { seededRandom } from '@portolan/testing';
import { option, progress, report } from '../load/support/report.ts';

/** How two readings of the same bytes relate. */
export interface Comparison {
  /** What is wrong; undefined when every difference is one that is allowed. */
  readonly difference: string | undefined;
  /** The fault or leniency by which an allowed difference is excused. */
  readonly excuse: string | undefined;
  /** Messages that both read to their end, alike. */
  readonly agreed: number;
}

/** What is compared, and on what. */
export interface FuzzedParser {
  generate(random: Random): string;
  compare(bytes: Buffer): Comparison;
}

/** Case `index` of a seed, as latin1: the same on every machine. */
export function aCase({ generate }: FuzzedParser, seed: number, index: number): string {
  return generate(
    seededRandom(Math.imul(seed + 1, 0x9e37_79b1) ^ Math.imul(index + 1, 0x85eb_ca6b)),
  );
}

const SHOWN = 20;
const PROGRESS_CASES = 250_000;

/** Runs the cases that the command line asks for, and sets the exit code to 1 when a difference is not excused. */
export async function runCases(name: string, parser: FuzzedParser): Promise<void> {
  const cases = option('cases', 1_000_000);
  const seed = option('seed', 1);
  const from = option('from', 0);
  const excuses = new Map<string, number>();
  const differences = new Map<string, number>();
  let agreed = 0;
  let shown = 0;
  const began = performance.now();
  const perSecond = (done: number): string =>
    `${Math.round((done / (performance.now() - began)) * 1_000).toLocaleString('en')} cases/s`;

  for (let at = from; at < from + cases; at++) {
    const text = aCase(parser, seed, at);
    const comparison = parser.compare(Buffer.from(text, 'latin1'));
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
      progress(
        `${done.toLocaleString('en')} cases, ${perSecond(done)}; go on with --from ${at + 1}`,
      );
    }
  }
  if (cases === 1) console.log(JSON.stringify(aCase(parser, seed, from)));

  const total = [...differences.values()].reduce((sum, each) => sum + each, 0);
  await report(name, [
    { work: `cases of seed ${seed} from ${from}`, figure: `${cases}, ${perSecond(cases)}` },
    { work: 'messages read alike to their end', figure: String(agreed) },
    ...[...excuses]
      .sort()
      .map(([rule, times]) => ({ work: `excused: ${rule}`, figure: `${times}` })),
    ...[...differences].map(([what, times]) => ({ work: what, figure: `${times}`, met: false })),
    { work: 'differences', figure: String(total), target: '0', met: total === 0 },
  ]);
  if (total > 0) process.exitCode = 1;
}

function count(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}
