import type { Revision, ServiceKey, ServiceView } from '@portolan/core';
import { waitForChange } from '../../watching/wait-for-change.ts';
import type { RestContext } from '../operation.ts';
import { presentView } from './present-view.ts';

export const DEFAULT_WAIT_MS = 30_000;
export const MAX_WAIT_MS = 600_000;

/**
 * Resolves with the service's view as soon as it is newer than `index`, or with the present one after `waitMs`. Changes
 * of other services do not wake it. Rejects with nothing: when the signal aborts, nobody reads the answer.
 */
export async function longPoll(
  context: RestContext,
  service: ServiceKey,
  index: Revision,
  waitMs: number,
  signal: AbortSignal,
): Promise<ServiceView> {
  const { registry } = context;
  const present = presentView(registry, service, index);
  if (present.isNews) return present.view;
  const subscribe = (wake: () => void) => registry.subscribeService(service, wake);
  await waitForChange(context, subscribe, Math.min(waitMs, MAX_WAIT_MS), signal);
  return presentView(registry, service, index).view;
}
