import { TurnableClock } from '@portolan/testing';
import { describe, expect, test } from 'vitest';
import type { RoleDocument } from '../wire/documents.ts';
import { createRoleKeeper } from './role-keeper.ts';

const active = (term: number): RoleDocument => ({ role: 'active', term, active: 'me' });
const standby = (term: number): RoleDocument => ({ role: 'standby', term, active: 'other' });

function aKeeper() {
  const clock = new TurnableClock();
  const told: string[] = [];
  const keeper = createRoleKeeper(clock, (role) =>
    told.push(role ? `${role.role} ${role.term}` : '-'),
  );
  return { clock, told, keeper };
}

describe('a role', () => {
  test('is told when it changes, and when its term does', () => {
    const { clock, told, keeper } = aKeeper();
    keeper.take(undefined, 10_000, clock.now());
    keeper.take(standby(5), 10_000, clock.now());
    keeper.take(standby(5), 10_000, clock.now());
    keeper.take(active(7), 10_000, clock.now());
    keeper.take(active(9), 10_000, clock.now());
    keeper.take(undefined, 10_000, clock.now());
    expect(told).toEqual(['standby 5', 'active 7', 'active 9', '-']);
    expect(keeper.role).toBeUndefined();
  });

  test('ends with the lease that the last answer renewed, counted from when the call was sent', async () => {
    const { clock, told, keeper } = aKeeper();
    const sentAtMs = clock.now();
    await clock.advance(2_000);
    keeper.take(active(7), 10_000, sentAtMs);
    await clock.advance(7_999);
    expect(keeper.role).toEqual(active(7));
    await clock.advance(1);
    expect(keeper.role).toEqual({ role: 'standby', term: 7, active: null });
    expect(told).toEqual(['active 7', 'standby 7']);
    keeper.take(active(7), 10_000, clock.now());
    expect(told.at(-1)).toBe('active 7');
    keeper.stepDown();
    expect(clock.pending).toBe(0);
  });

  test('of an answer that came after its lease is over at once', async () => {
    const { clock, keeper } = aKeeper();
    keeper.take(active(7), 1_000, clock.now() - 2_000);
    await clock.advance(0);
    expect(keeper.role?.role).toBe('standby');
  });

  test('is not waited for without a lease, and a standby has nothing to lose', () => {
    const { clock, told, keeper } = aKeeper();
    keeper.take(active(7), undefined, clock.now());
    keeper.take(standby(8), 10_000, clock.now());
    keeper.stepDown();
    expect(clock.pending).toBe(0);
    expect(told).toEqual(['active 7', 'standby 8']);
  });
});
