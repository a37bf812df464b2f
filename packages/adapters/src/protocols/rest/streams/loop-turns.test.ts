import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createLoopTurns } from './loop-turns.ts';

test('long work takes turns: one piece of all of it in each turn of the loop', async () => {
  const turn = createLoopTurns();
  const order: string[] = [];
  const work = async (name: string): Promise<void> => {
    for (let piece = 1; piece <= 3; piece++) {
      await turn();
      order.push(`${name}${piece}`);
    }
  };
  const others = (async () => {
    for (let at = 0; at < 12; at++) {
      await nextTurn();
      order.push('|');
    }
  })();
  await Promise.all([work('a'), work('b'), work('c'), others]);
  const perTurn = order
    .join(' ')
    .split('|')
    .map((part) => part.trim().split(' ').filter(Boolean).length);
  expect(Math.max(...perTurn)).toBeLessThanOrEqual(2);
  expect(order.filter((each) => each !== '|')).toEqual([
    'a1',
    'b1',
    'c1',
    'a2',
    'b2',
    'c2',
    'a3',
    'b3',
    'c3',
  ]);
});
