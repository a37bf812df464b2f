import {
  type CheckSpec,
  type HealthProbe,
  NO_LOGGER,
  NO_METRICS,
  type ProbeResult,
  type Registration,
} from '@portolan/core';
import { seededRandom, settle, TurnableClock } from '@portolan/testing';
import { describe, expect, it } from 'vitest';
import { InstanceRecord } from '../catalogue/instance-record.ts';
import { shapeOf } from '../catalogue/registration-shape.ts';
import { refKey } from '../codec/keys.ts';
import { DEFAULT_REGISTRY_OPTIONS } from '../options/registry-options.ts';
import { createRegistryMetrics } from '../telemetry/registry-metrics.ts';
import { CheckScheduler } from './check-scheduler.ts';

const SERVICE = { namespace: 'default', group: 'default', name: 'web' };
const KEY_A = refKey({ namespace: 'default', id: 'a' });
const PASSING: ProbeResult = { status: 'passing', output: 'ok', durationMs: 1 };
const CRITICAL: ProbeResult = { status: 'critical', output: 'no', durationMs: 1 };

function aRecord(id: string, spec: Partial<CheckSpec> = {}): InstanceRecord {
  const registration: Registration = {
    id,
    service: SERVICE,
    address: '127.0.0.1',
    port: 1_000,
    tags: [],
    metadata: {},
    weight: 1,
    checks: [
      {
        id: 'port',
        probe: { kind: 'tcp', host: '127.0.0.1', port: 1_000 },
        intervalMs: 1_000,
        timeoutMs: 500,
        rise: 2,
        fall: 3,
        ...spec,
      },
    ],
    initialStatus: 'passing',
    registeredAtMs: 0,
  };
  return new InstanceRecord({
    key: refKey({ namespace: 'default', id }),
    service: SERVICE,
    address: registration.address,
    port: registration.port,
    registeredAtMs: registration.registeredAtMs,
    shape: shapeOf(registration),
    createRevision: 1,
    registrationRevision: 1,
    stored: undefined,
    statusRevision: 0,
    intent: { enabled: true },
    intentRevision: 0,
  });
}

function aScheduler(check: HealthProbe['check'], options = {}) {
  const clock = new TurnableClock();
  const changed: string[] = [];
  const gauges = () => ({
    watchers: () => 0,
    revision: () => 0,
    protectedServices: () => 0,
    damaged: () => 0,
    exclusive: () => ({ services: 0, vacant: 0 }),
    statuses: () => ({}),
  });
  const scheduler = new CheckScheduler(
    { ...DEFAULT_REGISTRY_OPTIONS.checks, ...options },
    {
      clock,
      random: seededRandom(3),
      logger: NO_LOGGER,
      metrics: createRegistryMetrics(NO_METRICS, gauges),
      probes: [{ kind: 'tcp', check }],
      onChanged: (key) => changed.push(key),
    },
  );
  const add = (record: InstanceRecord, spread = false) =>
    scheduler.follow({ key: record.key, before: undefined, after: record }, spread);
  return { clock, scheduler, changed, add };
}

describe('check scheduler', () => {
  it('believes the first success, then fall failures, then rise successes', async () => {
    let answer = PASSING;
    const { clock, scheduler, changed, add } = aScheduler(async () => answer, { jitterShare: 0 });
    add(aRecord('a'));
    await clock.advance(20);
    expect(scheduler.states(KEY_A)[0]?.status).toBe('passing');
    answer = CRITICAL;
    await clock.advance(2_000);
    expect(scheduler.states(KEY_A)[0]?.status).toBe('passing');
    await clock.advance(1_000);
    expect(scheduler.states(KEY_A)[0]?.status).toBe('critical');
    answer = PASSING;
    await clock.advance(1_000);
    expect(scheduler.states(KEY_A)[0]?.status).toBe('critical');
    await clock.advance(1_000);
    expect(scheduler.states(KEY_A)[0]?.status).toBe('passing');
    expect(changed).toHaveLength(3);
    scheduler.close();
    expect(clock.pending).toBe(0);
  });

  it('wakes nobody when only the output changes', async () => {
    let count = 0;
    const { clock, scheduler, changed, add } = aScheduler(async () => ({
      ...PASSING,
      output: `answer ${count++}`,
    }));
    add(aRecord('a'));
    await clock.advance(10_000);
    expect(count).toBeGreaterThan(8);
    expect(changed).toHaveLength(1);
    scheduler.close();
  });

  it('aborts a probe at its timeout, counts it as a failure, and never runs two of one check', async () => {
    let running = 0;
    let most = 0;
    const { clock, scheduler, add } = aScheduler((_target, _config, signal) => {
      most = Math.max(most, ++running);
      return new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          running--;
          resolve(CRITICAL);
        });
      });
    });
    add(aRecord('a'));
    await clock.advance(10_000);
    expect(most).toBe(1);
    expect(scheduler.states(KEY_A)[0]).toMatchObject({
      status: 'critical',
      output: 'no answer within 500 ms',
    });
    scheduler.close();
    expect(clock.pending).toBe(0);
  });

  it('goes on with a check whose probe ignores its abort, and does not take its late answer', async () => {
    const late: ((result: ProbeResult) => void)[] = [];
    const { clock, scheduler, add } = aScheduler(
      () => new Promise((resolve) => late.push(resolve)),
      { maxConcurrent: 1 },
    );
    add(aRecord('a'));
    await clock.advance(5_000);
    expect(late.length).toBeGreaterThanOrEqual(4);
    expect(scheduler.states(KEY_A)[0]?.status).toBe('critical');
    for (const answer of late.slice(0, 3)) answer(PASSING);
    await settle();
    expect(scheduler.states(KEY_A)[0]?.consecutiveSuccesses).toBe(0);
    scheduler.close();
  });

  it('keeps a broken probe from deciding anything, and asks again', async () => {
    let calls = 0;
    const { clock, scheduler, changed, add } = aScheduler(async () => {
      calls++;
      throw new Error('a bug');
    });
    add(aRecord('a'));
    await clock.advance(3_500);
    expect(calls).toBeGreaterThanOrEqual(3);
    expect(changed).toEqual([]);
    expect(scheduler.states(KEY_A)[0]?.status).toBe('unknown');
    scheduler.close();
  });

  it('starts no more probes at once than allowed, and asks everybody in the end', async () => {
    let running = 0;
    let most = 0;
    const asked = new Set<string>();
    const { clock, scheduler, add } = aScheduler(
      (target, _config, signal) => {
        most = Math.max(most, ++running);
        asked.add(target.id);
        return new Promise((resolve) => {
          signal.addEventListener('abort', () => {
            running--;
            resolve(CRITICAL);
          });
        });
      },
      { maxConcurrent: 5 },
    );
    for (let at = 0; at < 20; at++) add(aRecord(`i${at}`, { intervalMs: 60_000 }));
    await clock.advance(2_500);
    expect(most).toBe(5);
    expect(asked.size).toBe(20);
    scheduler.close();
  });

  it('forgets a check whose instance is gone, with the probe under way', async () => {
    let aborted = false;
    const { clock, scheduler, changed, add } = aScheduler((_target, _config, signal) => {
      signal.addEventListener('abort', () => (aborted = true));
      return new Promise(() => undefined);
    });
    const record = aRecord('a');
    add(record);
    await clock.advance(20);
    scheduler.follow({ key: record.key, before: record, after: undefined }, false);
    expect(aborted).toBe(true);
    await clock.advance(10_000);
    expect(changed).toEqual([]);
    scheduler.close();
    expect(clock.pending).toBe(0);
  });

  it('never lets 20,000 checks at 10 s drift by more than their jitter from the grid', async () => {
    const clockOf: { now: () => number } = { now: () => 0 };
    const starts = new Map<string, number[]>();
    const { clock, scheduler, add } = aScheduler(
      async (target) => {
        const list = starts.get(target.id) ?? [];
        list.push(clockOf.now());
        starts.set(target.id, list);
        return PASSING;
      },
      { maxConcurrent: 100_000, restartSpreadMs: 10_000 },
    );
    clockOf.now = () => clock.now();
    for (let at = 0; at < 20_000; at++) add(aRecord(`i${at}`, { intervalMs: 10_000 }), true);
    await clock.advance(61_000);
    expect(starts.size).toBe(20_000);
    let worst = 0;
    for (const list of starts.values()) {
      const first = list[0] ?? 0;
      expect(list.length).toBeGreaterThanOrEqual(5);
      for (const [round, atMs] of list.entries()) {
        worst = Math.max(worst, Math.abs(atMs - first - round * 10_000));
      }
    }
    expect(worst).toBeLessThanOrEqual(520);
    scheduler.close();
  });
});
