import type { Revision, ServiceKey, ServiceView } from '@portolan/core';
import type { RestContext } from '../operation.ts';
import { presentView } from './present-view.ts';

export const DEFAULT_WAIT_MS = 30_000;
export const MAX_WAIT_MS = 600_000;

/**
 * Resolves with the service's view as soon as it is newer than `index`, or with the present one after `waitMs`. Changes
 * of other services do not wake it. Rejects with nothing: when the signal aborts, nobody reads the answer.
 */
export function longPoll(
  context: RestContext,
  service: ServiceKey,
  index: Revision,
  waitMs: number,
  signal: AbortSignal,
): ServiceView | Promise<ServiceView> {
  const { registry, clock } = context;
  const present = presentView(registry, service, index);
  if (present.isNews || waitMs === 0 || signal.aborted) return present.view;
  const leave = context.watchers.enter();
  const { promise, resolve } = Promise.withResolvers<ServiceView>();
  const timer = clock.setTimer(Math.min(waitMs, MAX_WAIT_MS), expire);
  const unsubscribe = registry.subscribeService(service, finish);
  signal.addEventListener('abort', expire);

  function expire(): void {
    finish(presentView(registry, service, index).view);
  }
  function finish(view: ServiceView): void {
    timer.cancel();
    unsubscribe();
    signal.removeEventListener('abort', expire);
    leave();
    resolve(view);
  }
  return promise;
}
