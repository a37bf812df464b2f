import { NO_LOGGER } from '@portolan/core';
import { TurnableClock } from '@portolan/testing';
import { describe, expect, test } from 'vitest';
import type { MetricSnapshot } from '../telemetry/metrics.ts';
import { createReplicaCatalogue } from './replica-catalogue.ts';
import type { FromWorker, ToWorker, WorkerListening, WorkerSettings } from './worker-messages.ts';
import { startWorkerPool } from './worker-pool.ts';
import type { WorkerProcessListener } from './worker-process.ts';

const LISTENING: WorkerListening = { gateway: { host: '127.0.0.1', port: 80 }, more: [] };

/** A process whose part the test plays. */
class PlayedProcess {
  readonly pid: number;
  readonly got: ToWorker[] = [];
  killed = false;
  readonly #listener: WorkerProcessListener;

  constructor(pid: number, listener: WorkerProcessListener) {
    this.pid = pid;
    this.#listener = listener;
  }

  send(message: ToWorker): void {
    this.got.push(message);
  }

  kill(): void {
    this.killed = true;
    this.end('SIGKILL');
  }

  says(message: FromWorker): void {
    this.#listener.onMessage(message);
  }

  end(how: string): void {
    this.#listener.onEnd(how);
  }

  /** The number of the last question of that kind. */
  question(kind: 'metrics' | 'explain'): number {
    const asked = this.got.findLast((message) => message.kind === kind);
    return asked?.kind === 'metrics' || asked?.kind === 'explain' ? asked.question : -1;
  }
}

function staffed(workers: number) {
  const clock = new TurnableClock();
  const processes: PlayedProcess[] = [];
  const serving: number[] = [];
  const ended: (readonly MetricSnapshot[])[] = [];
  const listening: WorkerListening[] = [];
  const stopping = new AbortController();
  const starting = startWorkerPool(
    { workers, version: '1' },
    {
      clock,
      random: () => 0.5,
      logger: NO_LOGGER,
      catalogue: createReplicaCatalogue(),
      startProcess(listener) {
        const process = new PlayedProcess(100 + processes.length, listener);
        processes.push(process);
        return process;
      },
      settings: () => ({}) as WorkerSettings,
      onServing: (count) => serving.push(count),
      onEnd: (metrics) => ended.push(metrics),
      onListening: (found) => listening.push(found),
      stopping: stopping.signal,
    },
  );
  starting.catch(() => undefined);
  return { clock, processes, serving, ended, listening, stopping, starting };
}

/** A pool whose workers all serve. */
async function serving(workers: number) {
  const staff = staffed(workers);
  for (let at = 0; at < workers; at++) {
    await staff.clock.advance(0);
    staff.processes[at]?.says({ kind: 'serving', listening: LISTENING });
  }
  const pool = await staff.starting;
  return { ...staff, pool };
}

describe('a pool of workers', () => {
  test('starts the first, which finds the ports, and then the others', async () => {
    const { clock, processes, listening, serving: counts, starting } = staffed(3);
    await clock.advance(0);
    expect(processes).toHaveLength(1);
    processes[0]?.says({ kind: 'serving', listening: LISTENING });
    await clock.advance(0);
    expect(listening).toEqual([LISTENING]);
    expect(processes).toHaveLength(3);
    for (const process of processes.slice(1)) {
      process.says({ kind: 'serving', listening: LISTENING });
    }
    await starting;
    expect(counts.at(-1)).toBe(3);
    expect(processes[0]?.got.map(({ kind }) => kind)).toEqual(['start', 'catalogue']);
  });

  test('cannot start when a worker cannot, and says why', async () => {
    const { clock, processes, starting } = staffed(2);
    await clock.advance(0);
    processes[0]?.says({ kind: 'failed', message: '127.0.0.1:80 is in use', hints: ['h'] });
    processes[0]?.end('exit code 1');
    await expect(starting).rejects.toThrow('127.0.0.1:80 is in use');
    expect(clock.pending).toBe(0);
  });

  test('cannot start when a worker dies as it starts, and says which and how', async () => {
    const { clock, processes, starting } = staffed(1);
    await clock.advance(0);
    processes[0]?.end('SIGSEGV');
    await expect(starting).rejects.toThrow('gateway worker 1 ended as it started: SIGSEGV');
  });

  test('given up as it starts it ends what it started', async () => {
    const { clock, processes, stopping, starting } = staffed(2);
    await clock.advance(0);
    stopping.abort(new Error('stopped'));
    await clock.advance(1);
    await expect(starting).rejects.toThrow('stopped');
    expect(processes[0]?.killed).toBe(true);
  });

  test('replaces one that died at once, and tells when it does not serve', async () => {
    const { clock, processes, pool, serving: counts } = await serving(2);
    processes[1]?.end('SIGKILL');
    expect(counts.at(-1)).toBe(1);
    expect(pool.status()[1]).toMatchObject({ state: 'waiting', pid: null, lastEnd: 'SIGKILL' });
    await clock.advance(0);
    expect(processes).toHaveLength(3);
    processes[2]?.says({ kind: 'serving', listening: LISTENING });
    expect(counts.at(-1)).toBe(2);
    expect(pool.status()[1]).toMatchObject({ state: 'serving', pid: 102, restarts: 1 });
  });

  test('waits longer for one that dies again and again, and not for one that served for long', async () => {
    const { clock, processes } = await serving(1);
    const waits: number[] = [];
    for (let at = 0; at < 8; at++) {
      const count = processes.length;
      processes.at(-1)?.end('SIGABRT');
      const from = clock.now();
      while (processes.length === count) await clock.advance(50);
      waits.push(clock.now() - from);
      processes.at(-1)?.says({ kind: 'serving', listening: LISTENING });
    }
    expect(waits[0]).toBeLessThanOrEqual(50);
    expect(waits.at(-1)).toBeGreaterThan(1_000);
    expect(waits.at(-1)).toBeLessThanOrEqual(10_050);
    processes.at(-1)?.says(ALIVE);
    await clock.advance(29_000);
    processes.at(-1)?.says(ALIVE);
    await clock.advance(2_000);
    const count = processes.length;
    processes.at(-1)?.end('SIGABRT');
    await clock.advance(50);
    expect(processes).toHaveLength(count + 1);
  });

  test('kills one that says nothing any more', async () => {
    const { clock, processes } = await serving(2);
    for (let second = 0; second < 40; second++) {
      processes[0]?.says(ALIVE);
      await clock.advance(1_000);
    }
    expect([processes[0]?.killed, processes[1]?.killed]).toEqual([false, true]);
    expect(processes.length).toBeGreaterThan(2);
  });

  test('asks all for their metrics, and takes the last ones of one that is slow', async () => {
    const { clock, processes, pool, ended } = await serving(2);
    const [first, second] = processes;
    const counted = (value: number) =>
      [
        { name: 'n', help: '', type: 'counter', values: [{ value, labels: {} }] },
      ] as unknown as readonly MetricSnapshot[];
    const answer = (process: PlayedProcess | undefined, value: number): void =>
      process?.says({
        kind: 'metrics',
        question: process.question('metrics'),
        metrics: counted(value),
      });
    const both = pool.metrics();
    answer(first, 1);
    answer(second, 2);
    expect(await both).toEqual([counted(1), counted(2)]);
    const slow = pool.metrics();
    answer(first, 3);
    await clock.advance(1_000);
    expect(await slow).toEqual([counted(3), counted(2)]);
    second?.end('SIGKILL');
    expect(ended).toEqual([counted(2)]);
  });

  test('asks a worker that serves to explain, and gives up when it does not answer', async () => {
    const { clock, processes, pool } = await serving(2);
    processes[0]?.end('SIGKILL');
    const request = { method: 'GET', url: 'http://a/', headers: [], source: '127.0.0.1' };
    const asked = pool.explain(request);
    await clock.advance(1_000);
    expect(await asked).toBeUndefined();
    expect(processes[1]?.question('explain')).toBeGreaterThan(0);
  });

  test('a reload reaches all, also past one that dies meanwhile', async () => {
    const { processes, pool } = await serving(2);
    const configured = pool.configure();
    processes[0]?.says({ kind: 'configured' });
    processes[1]?.end('SIGKILL');
    await configured;
    expect(processes[0]?.got.at(-1)?.kind).toBe('configure');
  });

  test('closed it lets them drain, kills what is left, and leaves no timer', async () => {
    const { clock, processes, pool } = await serving(2);
    const closed = pool.close(5_000);
    expect(processes.map(({ got }) => got.at(-1)?.kind)).toEqual(['drain', 'drain']);
    processes[0]?.end('exit code 0');
    await clock.advance(5_000);
    await closed;
    expect([processes[0]?.killed, processes[1]?.killed]).toEqual([false, true]);
    expect(processes).toHaveLength(2);
    expect(clock.pending).toBe(0);
  });
});

const ALIVE: FromWorker = {
  kind: 'alive',
  vitals: {
    stats: {
      connections: 0,
      busyConnections: 0,
      activeRequests: 0,
      routes: 0,
      services: 0,
      endpoints: 0,
      ejected: 0,
    },
    residentBytes: 1,
    cpuMs: 1,
  },
};
