import type { Clock } from '@portolan/core';
import type { NacosService } from '../nacos-names.ts';
import type { ViewPushes } from '../push/view-pushes.ts';
import type { ServiceInfo } from '../service-info.ts';
import type { Connection } from './connection.ts';

const ACK_WITHIN_MS = 5_000;
const RETRY_AFTER_MS = 1_000;
const MAX_TRIES = 3;

export interface SubscriptionDeps {
  readonly clock: Clock;
  readonly pushes: ViewPushes;
  readonly info: () => ServiceInfo;
}

/**
 * Tells a client of a service until the function returned is called. One push is under way at a time: what changes meanwhile is
 * told by the next one, so that a slow client costs no memory.
 */
export function subscribe(
  connection: Connection,
  service: NacosService,
  { clock, pushes, info }: SubscriptionDeps,
): () => void {
  let ended = false;
  let pushing = false;
  let changed = false;
  let endPause: (() => void) | undefined;

  async function push(): Promise<void> {
    changed = true;
    if (pushing) return;
    pushing = true;
    for (let tries = 0; changed && !ended && tries < MAX_TRIES; ) {
      changed = false;
      const { namespaceId, groupName, serviceName } = service;
      const told = await connection.ask(
        'NotifySubscriberRequest',
        { module: 'naming', namespace: namespaceId, groupName, serviceName, serviceInfo: info() },
        ACK_WITHIN_MS,
      );
      if (told) {
        tries = 0;
        continue;
      }
      tries++;
      changed = true;
      if (tries < MAX_TRIES && !ended) await pause();
    }
    pushing = false;
  }

  function pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = clock.setTimer(RETRY_AFTER_MS, resolve);
      endPause = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  const unsubscribe = pushes.subscribe(service.key, () => void push());
  return () => {
    ended = true;
    unsubscribe();
    endPause?.();
  };
}
