import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NO_LOGGER } from '@portolan/core';
import { MemoryStore } from '@portolan/testing';
import { expect, test } from 'vitest';
import { openEmbeddedStore } from './store/embedded-store.ts';
import { Simulation, type StoreHost } from './test-simulation/simulation.ts';

// A longer or another run: SIM_SEEDS=7,8 SIM_MINUTES=600 npx vitest run --project unit registry.sim
const SEEDS = (process.env.SIM_SEEDS ?? '1,2').split(',').map(Number);
const DISK_SEEDS = (process.env.SIM_DISK_SEEDS ?? '3').split(',').map(Number);
const MINUTES = Number(process.env.SIM_MINUTES ?? 12);

/** A run in which nothing of the kind happened would prove nothing. */
function expectAll(counts: Readonly<Record<string, number>>): void {
  for (const [what, count] of Object.entries(counts)) {
    expect([what, count > 0]).toEqual([what, true]);
  }
}

function inMemory(): StoreHost {
  const store = new MemoryStore();
  return { open: async () => store, close: async () => undefined };
}

test.each(SEEDS)(
  'two thousand nodes that lie about time, pause, die and lose messages, seed %i',
  async (seed) => {
    const fleet = { services: 100, nodes: 2_000, exclusive: 20 };
    const simulation = new Simulation(
      { ...fleet, seed, minutes: MINUTES, restarts: 0.003 },
      inMemory(),
    );
    await simulation.run();
    expectAll(simulation.counts);
    expect(simulation.counts.heartbeats).toBeGreaterThan(MINUTES * 10_000);
  },
  240_000,
);

test.each(DISK_SEEDS)(
  'the same over a store on disk that is opened again at every restart, seed %i',
  async (seed) => {
    const folder = await mkdtemp(join(tmpdir(), 'portolan-sim-'));
    const host: StoreHost = {
      open: () => openEmbeddedStore({ path: join(folder, 'data') }, { logger: NO_LOGGER }),
      close: (store) => store.close(),
    };
    const fleet = { services: 20, nodes: 200, exclusive: 5 };
    try {
      const simulation = new Simulation({ ...fleet, seed, minutes: 8, restarts: 0.015 }, host);
      await simulation.run();
      expectAll(simulation.counts);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  240_000,
);
