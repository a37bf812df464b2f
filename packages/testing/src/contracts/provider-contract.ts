import type { Provider, ProviderSnapshot } from '@portolan/core';
import { describe, expect, test } from 'vitest';
import { settle, type TurnableClock } from '../time/turnable-clock.ts';

/** A provider over a source that the suite can change and take away. */
export interface ProviderFixture {
  readonly clock: TurnableClock;
  /** A new provider over the same source, as after a restart. */
  make(): Provider;
  /** Something that has to become an instance named so. */
  add(name: string): void;
  remove(name: string): void;
  /** The source cannot be reached until it comes back. */
  goAway(): void;
  comeBack(): void;
}

/** Longer than any provider needs to notice a change, or that its source is back. */
const ENOUGH_MS = 120_000;
const STEPS = 60;

/** In steps, so that what falls due in one of them finishes before the next. */
async function pass(clock: TurnableClock, ms: number): Promise<void> {
  for (let step = 0; step <= STEPS; step++) {
    if (step > 0) await clock.advance(ms / STEPS);
    for (let turn = 0; turn < 60; turn++) await settle();
  }
}

/** What every provider keeps. */
export function providerContract(name: string, open: () => ProviderFixture): void {
  describe(`${name} keeps the provider contract`, () => {
    function start(fixture: ProviderFixture) {
      const snapshots: ProviderSnapshot[] = [];
      const abort = new AbortController();
      const ended = fixture.make().run((snapshot) => void snapshots.push(snapshot), abort.signal);
      return {
        snapshots,
        services: () =>
          snapshots
            .at(-1)
            ?.instances.map((instance) => instance.service.name)
            .sort(),
        async stop() {
          abort.abort();
          await ended;
        },
      };
    }

    test('publishes all there is, each time, not what changed', async () => {
      const fixture = open();
      fixture.add('a');
      const run = start(fixture);
      await pass(fixture.clock, ENOUGH_MS);
      expect(run.services()).toEqual(['a']);
      fixture.add('b');
      await pass(fixture.clock, ENOUGH_MS);
      expect(run.services()).toEqual(['a', 'b']);
      fixture.remove('a');
      await pass(fixture.clock, ENOUGH_MS);
      expect(run.services()).toEqual(['b']);
      await run.stop();
    });

    test('publishes nothing while it does not know', async () => {
      const fixture = open();
      fixture.add('a');
      fixture.goAway();
      const run = start(fixture);
      await pass(fixture.clock, ENOUGH_MS);
      expect(run.snapshots).toEqual([]);
      fixture.comeBack();
      await pass(fixture.clock, ENOUGH_MS);
      expect(run.services()).toEqual(['a']);
      await run.stop();
    });

    test('says that nothing is there when that is so', async () => {
      const fixture = open();
      const run = start(fixture);
      await pass(fixture.clock, ENOUGH_MS);
      expect(run.services()).toEqual([]);
      await run.stop();
    });

    test('keeps what it knew while its source is away, and catches up afterwards', async () => {
      const fixture = open();
      fixture.add('a');
      fixture.add('b');
      const run = start(fixture);
      await pass(fixture.clock, ENOUGH_MS);
      fixture.goAway();
      await pass(fixture.clock, ENOUGH_MS);
      expect(run.services()).toEqual(['a', 'b']);
      fixture.remove('a');
      fixture.add('c');
      fixture.comeBack();
      await pass(fixture.clock, ENOUGH_MS);
      expect(run.services()).toEqual(['b', 'c']);
      await run.stop();
    });

    test('gives the same thing the same id and address after a restart', async () => {
      const fixture = open();
      for (const service of ['c', 'a', 'b']) fixture.add(service);
      const first = start(fixture);
      await pass(fixture.clock, ENOUGH_MS);
      await first.stop();
      const second = start(fixture);
      await pass(fixture.clock, ENOUGH_MS);
      expect(second.snapshots.at(-1)).toEqual(first.snapshots.at(-1));
      await second.stop();
    });

    test('ends when it is told to and leaves no timer, also while its source is away', async () => {
      const fixture = open();
      fixture.add('a');
      const run = start(fixture);
      await pass(fixture.clock, ENOUGH_MS);
      await run.stop();
      expect(fixture.clock.pending).toBe(0);
      fixture.goAway();
      const lost = start(fixture);
      await pass(fixture.clock, 1_000);
      await lost.stop();
      expect(fixture.clock.pending).toBe(0);
      const published = run.snapshots.length;
      fixture.comeBack();
      await pass(fixture.clock, ENOUGH_MS);
      expect(run.snapshots).toHaveLength(published);
    });
  });
}
