import { NO_LOGGER } from '@portolan/core';
import { seededRandom, TurnableClock } from '@portolan/testing';
import { describe, expect, test } from 'vitest';
import { PortolanError } from '../http/portolan-error.ts';
import type { HeartbeatBody, RegisterAnswer, RegistrationBody } from '../wire/documents.ts';
import { createRegistrationHandle, type InstanceCalls } from './registration-handle.ts';

const away = () =>
  new PortolanError('REGISTRY_UNREACHABLE', 'away', { status: 0, retryable: true });
const unknown = () => new PortolanError('INSTANCE_NOT_FOUND', 'unknown', { status: 404 });

/** A registry that remembers in memory and can be taken away or lose its memory. */
function aRegistry() {
  const calls: string[] = [];
  const state = { up: true, known: false, calls, body: undefined as RegistrationBody | undefined };
  const take = (call: string) => {
    calls.push(call);
    if (!state.up) throw away();
  };
  const instances: InstanceCalls = {
    async register(body) {
      take('register');
      state.known = true;
      state.body = body;
      return { instance: { id: body.id }, heartbeatMs: 30_000 } as RegisterAnswer;
    },
    async heartbeat(id, body?: HeartbeatBody) {
      take(`heartbeat ${JSON.stringify(body?.metadata ?? {})}`);
      if (!state.known) throw unknown();
      return { id, ttlMs: 90_000, status: 'passing' };
    },
    async deregister() {
      take('deregister');
      state.known = false;
    },
  };
  return { state, instances };
}

function setUp() {
  const clock = new TurnableClock();
  const registry = aRegistry();
  const open = () =>
    createRegistrationHandle(
      { service: 'web', address: '127.0.0.1', port: 3000 },
      {},
      { clock, random: seededRandom(7), logger: NO_LOGGER, instances: registry.instances },
    );
  return { clock, registry: registry.state, open };
}

describe('a registration', () => {
  test('is retried while the registry is away and then heartbeats within every interval', async () => {
    const { clock, registry, open } = setUp();
    registry.up = false;
    const handle = open();
    await clock.advance(60_000);
    expect(handle.state).toBe('registering');
    registry.up = true;
    await clock.advance(10_000);
    expect((await handle.ready).id).toBe('web-127.0.0.1-3000');
    registry.calls.length = 0;
    await clock.advance(300_000);
    expect(registry.calls.length).toBeGreaterThanOrEqual(10);
    expect(registry.calls.length).toBeLessThanOrEqual(13);
  });

  test('registers again, with changed metadata, when the registry no longer knows it', async () => {
    const { clock, registry, open } = setUp();
    const handle = open();
    await clock.advance(1);
    expect(await handle.heartbeat({ metadata: { color: 'blue' } })).toBe(true);
    expect(registry.calls.at(-1)).toBe('heartbeat {"color":"blue"}');
    registry.known = false;
    await clock.advance(31_000);
    expect(registry.known).toBe(true);
    expect(registry.body?.metadata).toEqual({ color: 'blue' });
    expect(handle.state).toBe('registered');
  });

  test('survives an outage without being lost, and leaves no timer after close', async () => {
    const { clock, registry, open } = setUp();
    const handle = open();
    await clock.advance(1);
    registry.up = false;
    await clock.advance(120_000);
    expect(handle.state).toBe('away');
    registry.up = true;
    await clock.advance(10_000);
    expect(handle.state).toBe('registered');
    await handle.close();
    expect(registry.known).toBe(false);
    expect(handle.state).toBe('closed');
    expect(clock.pending).toBe(0);
  });

  test('waits as long as a registry that has too much to do asks, and a heartbeat no longer than its interval', async () => {
    const clock = new TurnableClock();
    const at: { register: number[]; heartbeat: number[] } = { register: [], heartbeat: [] };
    let busy = true;
    const overloaded = () =>
      new PortolanError('CONTROL_OVERLOADED', 'busy', {
        status: 429,
        retryable: true,
        retryAfterMs: 20_000,
      });
    const handle = createRegistrationHandle(
      { service: 'web', address: '127.0.0.1', port: 3000 },
      {},
      {
        clock,
        random: seededRandom(7),
        logger: NO_LOGGER,
        instances: {
          async register(body) {
            at.register.push(clock.now());
            if (busy) throw overloaded();
            return { instance: { id: body.id }, heartbeatMs: 5_000 } as RegisterAnswer;
          },
          async heartbeat() {
            at.heartbeat.push(clock.now());
            if (busy) throw overloaded();
            return {};
          },
          deregister: async () => undefined,
        },
      },
    );
    await clock.advance(30_000);
    expect(at.register).toHaveLength(2);
    expect((at.register[1] ?? 0) - (at.register[0] ?? 0)).toBeGreaterThanOrEqual(20_000);
    busy = false;
    await clock.advance(30_000);
    expect(handle.state).toBe('registered');
    busy = true;
    at.heartbeat.length = 0;
    await clock.advance(30_000);
    const gaps = at.heartbeat.slice(1).map((time, index) => time - (at.heartbeat[index] ?? 0));
    expect(gaps.length).toBeGreaterThan(3);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(5_000);
    await handle.close();
  });

  test('refused for good rejects ready and is not retried', async () => {
    const { clock, registry } = setUp();
    let tries = 0;
    const handle = createRegistrationHandle(
      { service: 'web', address: 'x', port: 1 },
      {},
      {
        clock,
        random: seededRandom(1),
        logger: NO_LOGGER,
        instances: {
          register: async () => {
            tries += 1;
            throw new PortolanError('VALIDATION_FAILED', 'no', { status: 400 });
          },
          heartbeat: async () => {
            throw unknown();
          },
          deregister: async () => undefined,
        },
      },
    );
    await expect(handle.ready).rejects.toThrow('no');
    await clock.advance(60_000);
    expect([tries, handle.state, registry.calls.length]).toEqual([1, 'failed', 0]);
  });
});
