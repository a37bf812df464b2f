import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LoadResult } from './http-load.ts';

/** A row of a benchmark: what was measured, and what it is held against. */
export interface Row {
  readonly work: string;
  readonly figure: string;
  readonly target?: string;
  readonly met?: boolean;
}

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** What a benchmark leaves behind for the performance page. */
export interface Result {
  readonly name: string;
  /** As it was called, from the root of the repository. */
  readonly command: string;
  readonly day: string;
  readonly machine: string;
  readonly rows: readonly Row[];
}

export const RESULTS = new URL('../../results/', import.meta.url);

function command(): string {
  const script = relative(ROOT, process.argv[1] ?? '');
  const flags = process.env.NODE_OPTIONS;
  const given = flags === undefined ? [] : [`NODE_OPTIONS="${flags}"`];
  return [...given, 'node', script, ...process.argv.slice(2)].join(' ');
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}

export function machine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown CPU';
  return `${model}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;
}

/** Prints rows as a Markdown table, and keeps them under `bench/results/` for the performance page. */
export async function report(name: string, rows: readonly Row[]): Promise<void> {
  console.log(`\n## ${name}\n\n${machine()}\n`);
  console.log('| work | measured | target | met |\n|---|---|---|---|');
  for (const row of rows) {
    const met = row.met === undefined ? '' : row.met ? 'yes' : 'NO';
    console.log(`| ${row.work} | ${row.figure} | ${row.target ?? ''} | ${met} |`);
  }
  await mkdir(RESULTS, { recursive: true });
  await writeFile(
    new URL(`${name}.json`, RESULTS),
    `${JSON.stringify({ name, command: command(), day: today(), machine: machine(), rows } satisfies Result, null, 2)}\n`,
  );
}

export function figures(result: LoadResult): string {
  const ms = (value: number): string => value.toFixed(value < 10 ? 2 : 0);
  const wrong = result.errors > 0 ? `, ${result.errors} ERRORS (${result.firstError})` : '';
  return `${Math.round(result.perSecond).toLocaleString('en')}/s, p50 ${ms(result.p50Ms)} ms, p99 ${ms(result.p99Ms)} ms, p99.9 ${ms(result.p999Ms)} ms${wrong}`;
}

export function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  else process.stderr.write(`${text}\n`);
}

/** `--name value` from the command line, as a number. */
export function option(name: string, fallback: number): number {
  const at = process.argv.indexOf(`--${name}`);
  if (at < 0) return fallback;
  const value = Number(process.argv[at + 1]);
  if (!Number.isFinite(value) || value < 0) {
    console.error(`--${name} needs a number`);
    process.exit(2);
  }
  return value;
}

/** `--name value` from the command line, as it is. */
export function textOption(name: string): string | undefined {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
}
