import { describe, expect, it } from 'vitest';
import { KeyLock } from './key-lock.ts';

const KEY = 7;
/** Counted together with `KEY`, and another one. */
const NEIGHBOUR = KEY + (1 << 18);

describe('the lock of keys', () => {
  it('gives all keys or none', () => {
    const lock = new KeyLock();
    const release = lock.tryAcquire([1, 2]);
    expect(release).toBeDefined();
    expect(lock.tryAcquire([2, 3])).toBeUndefined();
    expect(lock.tryAcquire([3])).toBeDefined();
    release?.();
    expect(lock.tryAcquire([1, 2])).toBeDefined();
  });

  it('takes a key that is given twice once', () => {
    const lock = new KeyLock();
    lock.tryAcquire([KEY, KEY])?.();
    expect(lock.tryAcquire([KEY])).toBeDefined();
  });

  it('does not take one key for another that is counted with it', () => {
    const lock = new KeyLock();
    const release = lock.tryAcquire([KEY]);
    const other = lock.tryAcquire([NEIGHBOUR]);
    expect(other).toBeDefined();
    release?.();
    expect(lock.tryAcquire([NEIGHBOUR])).toBeUndefined();
    other?.();
    expect(lock.tryAcquire([KEY, NEIGHBOUR])).toBeDefined();
  });

  it('lets those that wait have it one after the other, and nobody who shares nothing wait', async () => {
    const lock = new KeyLock();
    const order: string[] = [];
    const take = async (name: string, keys: readonly number[]): Promise<void> => {
      const release = await lock.acquire(keys);
      order.push(`${name} has it`);
      await Promise.resolve();
      order.push(`${name} gives it back`);
      release();
    };
    await Promise.all([take('a', [1, 2]), take('b', [2, 3]), take('c', [4])]);
    expect(order.indexOf('b has it')).toBeGreaterThan(order.indexOf('a gives it back'));
    expect(order.indexOf('c has it')).toBeLessThan(order.indexOf('a gives it back'));
    expect(order).toHaveLength(6);
  });
});
