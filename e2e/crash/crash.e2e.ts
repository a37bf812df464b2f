import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type PortolanProcess, startPortolan } from '../support/portolan-process.ts';
import { type Cell, createCells, judge, RefusedWrite, readServer } from './crash-model.ts';
import { watchEvents } from './event-watcher.ts';

const KILLS = Number(process.env.PORTOLAN_CRASH_KILLS ?? 200);
const SEED = Number(process.env.PORTOLAN_CRASH_SEED ?? Date.now() % 1_000_000_000);
/** Longest time under load before a kill. */
const MAX_LIFE_MS = 250;
const STARTUP_KILL_SHARE = 0.1;

test(`what was acknowledged is there after each of ${KILLS} kills (seed ${SEED})`, {
  timeout: 60_000 + KILLS * 5_000,
}, async () => {
  const random = mulberry(SEED);
  const dataDir = await mkdtemp(join(tmpdir(), 'portolan-crash-'));
  const cells = createCells();
  const tally = { kills: 0, duringStart: 0, writes: 0, applied: 0 };
  let op = 0;
  let highest = 0;
  let seen: ReadonlySet<string> = new Set();
  let portolan: PortolanProcess | undefined;
  const startedMs = performance.now();
  try {
    for (;;) {
      while (tally.kills < KILLS && random() < STARTUP_KILL_SHARE) {
        await killDuringStart(dataDir, random);
        tally.kills++;
        tally.duringStart++;
      }
      portolan = await startPortolan({ dataDir });
      const server = await readServer(portolan.control);
      tally.applied += cells.filter(({ underWay }) => underWay && seen.has(underWay.mark)).length;
      const problems = cells.flatMap((cell) => judge(cell, server, seen));
      if (server.revision < highest) {
        problems.push(`revision ${server.revision} after ${highest} had been told`);
      }
      expect(problems, `seed ${SEED}, after kill ${tally.kills}`).toEqual([]);
      const floor = Math.max(highest, server.revision);
      if (tally.kills >= KILLS) break;

      const { control, child } = portolan;
      const watcher = await watchEvents(control);
      let running = true;
      const faults: unknown[] = [];
      const lanes = cells.map(async (cell) => {
        while (running) {
          const revision = await writeOnce(cell, control, ++op, random);
          if (revision === undefined) return;
          tally.writes++;
          if (revision > 0 && revision <= floor) {
            faults.push(`${cell.name}: revision ${revision} again, ${floor} was told before`);
          }
          highest = Math.max(highest, revision);
        }
      });
      const all = Promise.all(lanes).catch((error: unknown) => faults.push(error));
      await sleep(random() * MAX_LIFE_MS);
      child.kill('SIGKILL');
      running = false;
      await portolan.stop('SIGKILL');
      await Promise.all([all, watcher.ended]);
      tally.kills++;
      expect(faults, `seed ${SEED}, before kill ${tally.kills}`).toEqual([]);
      highest = Math.max(highest, watcher.revision);
      seen = watcher.marks;
    }
  } finally {
    await portolan?.dispose();
    await rm(dataDir, { recursive: true, force: true });
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
    process.stdout.write(
      `crash: seed ${SEED}: ${tally.kills} kills (${tally.duringStart} while starting), ${tally.writes} acknowledged writes, ${tally.applied} applied but not acknowledged, ${seconds} s\n`,
    );
  }
  expect(tally.writes).toBeGreaterThan(KILLS);
});

/** The revision of an acknowledged write; undefined when the server was gone. */
async function writeOnce(
  cell: Cell,
  origin: string,
  op: number,
  random: () => number,
): Promise<number | undefined> {
  try {
    const revision = await cell.write(origin, op, random);
    cell.acknowledged = cell.underWay?.state;
    cell.underWay = undefined;
    return revision;
  } catch (error) {
    if (error instanceof RefusedWrite) throw error;
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

async function killDuringStart(dataDir: string, random: () => number): Promise<void> {
  try {
    const early = await startPortolan({ dataDir, readyWithinMs: 1 + random() * 600 });
    await early.stop('SIGKILL');
  } catch (error) {
    if (!String(error).includes('was not ready in time')) throw error;
  }
}

/** A small seeded generator, so that a failing run's kills come at the same points of the same writes. */
function mulberry(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
