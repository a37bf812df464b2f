import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { NO_LOGGER } from '@portolan/core';
import { seededRandom } from '@portolan/testing';
import { expect, it } from 'vitest';
import { openEmbeddedStore } from './embedded-store.ts';

interface Line {
  readonly revision?: number;
  readonly keys?: readonly string[];
  readonly deleted?: readonly string[];
  readonly deleting?: string;
}

const KILLS = 20;
const SEED = 20_261_123;
const WRITER = new URL('./crash-harness/crash-writer.ts', import.meta.url).pathname;

/** Lets the writer commit until it has acknowledged `acknowledged` commits, then kills it. */
async function runAndKill(folder: string, round: number, acknowledged: number): Promise<Line[]> {
  const writer = spawn(
    process.execPath,
    ['--conditions=portolan-source', WRITER, folder, String(round)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const lines: Line[] = [];
  let count = 0;
  for await (const text of createInterface({ input: writer.stdout })) {
    // The kill may cut the last line.
    if (!text.endsWith('}')) continue;
    const line: Line = JSON.parse(text);
    lines.push(line);
    if (line.revision !== undefined && ++count === acknowledged) writer.kill('SIGKILL');
  }
  if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit');
  expect(writer.signalCode).toBe('SIGKILL');
  return lines;
}

it(`keeps what was acknowledged, whole, and reuses no revision over ${KILLS} kills (seed ${SEED})`, async () => {
  const random = seededRandom(SEED);
  const folder = await mkdtemp(join(tmpdir(), 'portolan-crash-'));
  const expected = new Set<string>();
  const uncertain = new Set<string>();
  const used = new Set<number>();
  let newest = 0;
  try {
    for (let round = 0; round < KILLS; round++) {
      const lines = await runAndKill(folder, round, 1 + Math.floor(random() * 150));
      for (const { revision, keys = [], deleted = [], deleting } of lines) {
        if (deleting !== undefined) uncertain.add(deleting);
        if (revision === undefined) continue;
        expect(used.has(revision)).toBe(false);
        expect(revision).toBeGreaterThan(newest);
        used.add(revision);
        for (const key of keys) expected.add(key);
        for (const key of deleted) expected.delete(key);
      }
      const gone = lines.flatMap(({ deleted = [] }) => deleted);
      const store = await openEmbeddedStore({ path: folder }, { logger: NO_LOGGER });
      const { entries, revision } = await store.list('');
      await store.close();
      const present = new Set(entries.map(({ key }) => key));
      for (const key of gone) expect(present.has(key)).toBe(false);
      for (const key of expected) {
        if (!present.has(key) && !uncertain.has(key)) expect.fail(`${key} was lost`);
        if (!present.has(key)) expected.delete(key);
      }
      const commits = new Map<string, number>();
      for (const key of present) {
        const [, name, count] = key.split('/');
        if (count === '40') commits.set(`${name}`, (commits.get(`${name}`) ?? 0) + 1);
      }
      for (const [name, count] of commits) expect(`${name}: ${count}`).toBe(`${name}: 40`);
      expect(revision).toBeGreaterThanOrEqual(Math.max(0, ...used));
      newest = revision;
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}, 60_000);
