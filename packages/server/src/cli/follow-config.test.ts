import { systemClock } from '@portolan/client';
import { settle } from '@portolan/testing';
import { expect, it } from 'vitest';
import type { LoadedConfig } from '../config/load-config.ts';
import type { UsableConfig } from '../config/usable-config.ts';
import { createServerLogger } from '../telemetry/logger.ts';
import { followConfig } from './follow-config.ts';

const logger = createServerLogger({ level: 'silent', format: 'json' });

/** A follower whose readings end when the test says so, each with what the file held as it began. */
function aFollower() {
  let file = 'first';
  const readings: { readonly content: string; end(): void }[] = [];
  const inForce: string[] = [];
  const signals = new Map<string, () => void>();
  const follower = followConfig(
    {
      paths: [],
      load: () => {
        const { promise, resolve } = Promise.withResolvers<LoadedConfig>();
        const content = file;
        const loaded = { config: {}, merged: content, documents: {}, problems: [] };
        readings.push({ content, end: () => resolve(loaded as unknown as LoadedConfig) });
        return promise;
      },
    },
    {
      clock: systemClock,
      onSignal(name, listener) {
        signals.set(name, listener);
        return () => void signals.delete(name);
      },
    },
  );
  return {
    follower,
    readings,
    inForce,
    server: {
      reload: async ({ merged }: UsableConfig) => void inForce.push(String(merged)),
    },
    write(content: string): void {
      file = content;
    },
    hup: () => signals.get('SIGHUP')?.(),
    listens: () => signals.has('SIGHUP'),
  };
}

it('remembers a SIGHUP from before there is a server, and reads the file when there is one', async () => {
  const { follower, readings, inForce, server, hup, write, listens } = aFollower();
  expect(listens()).toBe(true);
  hup();
  hup();
  expect(readings).toHaveLength(0);
  write('second');
  follower.attach(server, logger);
  expect(readings.map(({ content }) => content)).toEqual(['second']);
  readings[0]?.end();
  await settle();
  expect(inForce).toEqual(['second']);
  expect(readings).toHaveLength(1);
});

it('never puts an older content in force after a newer one', async () => {
  const { follower, readings, inForce, server, hup, write } = aFollower();
  follower.attach(server, logger);
  hup();
  write('second');
  hup();
  write('third');
  hup();
  expect(readings.map(({ content }) => content)).toEqual(['first']);
  readings[0]?.end();
  await settle();
  expect(readings.map(({ content }) => content)).toEqual(['first', 'third']);
  readings[1]?.end();
  await settle();
  expect(inForce).toEqual(['first', 'third']);
});

it('reads again after a reading that failed', async () => {
  const { follower, readings, inForce, server, hup } = aFollower();
  const failing = { reload: () => Promise.reject(new Error('for the test')) };
  follower.attach(failing, logger);
  hup();
  readings[0]?.end();
  await settle();
  follower.attach(server, logger);
  hup();
  readings[1]?.end();
  await settle();
  expect(inForce).toEqual(['first']);
});

it('survives a SIGHUP while the server stops, and does nothing then', async () => {
  const { follower, readings, inForce, server, hup, listens } = aFollower();
  follower.attach(server, logger);
  hup();
  follower.detach();
  readings[0]?.end();
  await settle();
  hup();
  expect([readings.length, inForce, listens()]).toEqual([1, [], true]);
  follower.end();
  expect(listens()).toBe(false);
});
