import { NO_LOGGER } from '@portolan/core';
import { settle, TurnableClock } from '@portolan/testing';
import { expect, it } from 'vitest';
import { ShutdownStack } from './shutdown-stack.ts';

function aStack() {
  const clock = new TurnableClock();
  return { clock, stack: new ShutdownStack({ clock, logger: NO_LOGGER }) };
}

it('closes in reverse order, one after the other', async () => {
  const { clock, stack } = aStack();
  const order: string[] = [];
  for (const name of ['store', 'registry', 'listener']) {
    stack.push(name, async () => {
      order.push(`${name} closing`);
      await settle();
      order.push(`${name} closed`);
    });
  }
  expect(await stack.close(1_000)).toEqual({ unfinished: [] });
  expect(order).toEqual([
    'listener closing',
    'listener closed',
    'registry closing',
    'registry closed',
    'store closing',
    'store closed',
  ]);
  expect(clock.pending).toBe(0);
});

it('goes on behind a part that fails or never ends, and names the latter', async () => {
  const { clock, stack } = aStack();
  let closed = false;
  stack.push('store', () => {
    closed = true;
  });
  stack.push('broken', () => Promise.reject(new Error('broken')));
  stack.push('stuck', () => new Promise(() => undefined));
  const closing = stack.close(5_000);
  await clock.advance(4_999);
  expect(closed).toBe(false);
  await clock.advance(1);
  expect(await closing).toEqual({ unfinished: ['stuck'] });
  expect(closed).toBe(true);
});

it('gives the last parts a moment even when the time is used up', async () => {
  const { clock, stack } = aStack();
  let release: () => void = () => undefined;
  stack.push('store', () => new Promise<void>((resolve) => (release = resolve)));
  stack.push('stuck', () => new Promise(() => undefined));
  const closing = stack.close(2_000);
  await clock.advance(2_500);
  release();
  expect(await closing).toEqual({ unfinished: ['stuck'] });
});
