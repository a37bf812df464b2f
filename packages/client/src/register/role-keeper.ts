import type { Clock, TimerHandle } from '@portolan/core';
import type { RoleDocument } from '../wire/documents.ts';

/** What an instance may take itself for in an exclusive service. */
export interface RoleKeeper {
  readonly role: RoleDocument | undefined;
  /** What the registry answered to a call that was sent at `sentAtMs`; it holds for the lease from then. */
  take(role: RoleDocument | undefined, ttlMs: number | undefined, sentAtMs: number): void;
  /** From now on another may be active. */
  stepDown(): void;
}

/** Believes an answer for as long as the lease that it renewed, counted from before it was sent: the registry counts from later. */
export function createRoleKeeper(
  clock: Clock,
  onChanged: (role: RoleDocument | undefined) => void,
): RoleKeeper {
  let role: RoleDocument | undefined;
  let timer: TimerHandle | undefined;

  function become(next: RoleDocument | undefined): void {
    if (next?.role === role?.role && next?.term === role?.term) return;
    role = next;
    onChanged(next);
  }

  function stepDown(): void {
    timer?.cancel();
    if (role?.role === 'active') become({ role: 'standby', term: role.term, active: null });
  }

  return {
    get role() {
      return role;
    },
    take(next, ttlMs, sentAtMs) {
      timer?.cancel();
      become(next);
      if (role?.role !== 'active' || ttlMs === undefined) return;
      timer = clock.setTimer(sentAtMs + ttlMs - clock.now(), stepDown);
    },
    stepDown,
  };
}
