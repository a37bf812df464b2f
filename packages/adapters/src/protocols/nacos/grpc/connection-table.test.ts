import {
  type Instance,
  type InstanceRef,
  NO_LOGGER,
  type RegistrationInput,
  type Registry,
  RegistryError,
} from '@portolan/core';
import { settle, TurnableClock } from '@portolan/testing';
import { describe, expect, it } from 'vitest';
import { createNacosLifecycle } from '../nacos-lifecycle.ts';
import { toNacosService } from '../nacos-names.ts';
import { Connection } from './connection.ts';
import { createConnectionTable } from './connection-table.ts';

/** As much of a registry as the table and the life of an instance need; `before` runs ahead of each registration. */
function setUp() {
  const clock = new TurnableClock();
  const instances = new Map<string, Instance>();
  const before: ((input: RegistrationInput) => Promise<void>)[] = [];
  const registry = {
    instance: ({ id }: InstanceRef) => instances.get(id),
    instanceAt: (_: unknown, address: string, port: number) =>
      [...instances.values()].find((one) => one.address === address && one.port === port),
    intent: () => ({ enabled: true }),
    renewBatch: async (refs: readonly InstanceRef[]) => refs.filter(({ id }) => !instances.has(id)),
    async register(input: RegistrationInput) {
      await before.shift()?.(input);
      instances.set(input.id ?? '', { ...input, checks: [] } as unknown as Instance);
    },
    async deregister({ id }: InstanceRef) {
      instances.delete(id);
    },
  } as unknown as Registry;
  const lifecycle = createNacosLifecycle(registry);
  const table = createConnectionTable({ registry, lifecycle, clock, logger: NO_LOGGER });
  const service = toNacosService({ serviceName: 'shop' }, 'default');
  const stream = { write: () => true, end: () => undefined };
  const connection = new Connection('c', '10.0.0.1:4000', stream, clock);
  table.add(connection);
  return {
    instances,
    before,
    table,
    connection,
    async hold(port: number) {
      const instance = {
        ...{ ip: '10.0.0.1', port, weight: 1, enabled: true, healthy: true, ephemeral: true },
        ...{ clusterName: 'DEFAULT', metadata: {} },
      };
      const ref = await lifecycle.register(service, instance, 'connection');
      const held = { ref, service, instance };
      await table.hold(connection, held);
      return held;
    },
    /** Until the next renewal is over; the client gives signs of life meanwhile. */
    async untilRenewed() {
      for (let step = 0; step < 4; step++) {
        connection.touch();
        await clock.advance(3_000);
        for (let turn = 0; turn < 10; turn++) await settle();
      }
    },
    ids: () => [...instances.keys()].sort(),
    close() {
      table.close();
      expect(clock.pending).toBe(0);
    },
  };
}

describe('an instance that a connected client registered and that went missing', () => {
  it('is registered again, also when that failed at first, and others beside it', async () => {
    const world = setUp();
    await world.hold(80);
    await world.hold(81);
    const all = world.ids();
    world.instances.clear();
    world.before.push(() => Promise.reject(new RegistryError('STORE_FULL', { detail: 'full' })));
    await world.untilRenewed();
    expect(world.ids()).toEqual(all.slice(1));
    await world.untilRenewed();
    expect(world.ids()).toEqual(all);
    world.close();
  });

  it('stays away when the client took it back while it was registered again', async () => {
    const world = setUp();
    const held = await world.hold(80);
    world.instances.clear();
    world.before.push(() => world.table.release(world.connection, held));
    await world.untilRenewed();
    expect(world.ids()).toEqual([]);
    expect([...world.connection.held]).toEqual([]);
    world.close();
  });

  it('stays as the client registered it anew meanwhile', async () => {
    const world = setUp();
    await world.hold(80);
    world.instances.clear();
    world.before.push(async () => void (await world.hold(80)));
    await world.untilRenewed();
    await world.untilRenewed();
    expect(world.ids()).toHaveLength(1);
    expect(world.connection.held.size).toBe(1);
    world.close();
  });

  it('is not registered for a connection that ended meanwhile', async () => {
    const world = setUp();
    await world.hold(80);
    world.instances.clear();
    world.before.push(() => world.table.remove(world.connection));
    await world.untilRenewed();
    expect(world.ids()).toEqual([]);
    world.close();
  });
});
