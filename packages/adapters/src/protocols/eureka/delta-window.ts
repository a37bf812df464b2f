import type { Clock, Instance, Registry, RegistryEvent } from '@portolan/core';
import type { ActionType } from './instance-info.ts';

export interface RecentChange {
  readonly action: ActionType;
  /** As it was left by the change. */
  readonly instance: Instance;
  readonly atMs: number;
}

/** What changed in the last minutes, once an instance, oldest first. */
export interface DeltaWindow {
  /** Of one namespace; undefined when more changed than is remembered. */
  changes(namespace: string): readonly RecentChange[] | undefined;
  close(): void;
}

export interface DeltaWindowOptions {
  readonly retentionMs: number;
  /** Instances remembered; with more the window has no answer until it is short enough again. */
  readonly maxInstances: number;
}

/**
 * Follows the registry from the first time it is asked, so that who uses no Eureka pays for none. What happened before is
 * taken from the registry's own event log, as far as that goes.
 */
export function createDeltaWindow(
  { retentionMs, maxInstances }: DeltaWindowOptions,
  { registry, clock }: { readonly registry: Registry; readonly clock: Clock },
): DeltaWindow {
  const recent = new Map<string, RecentChange>();
  let unsubscribe: (() => void) | undefined;
  let overflowedAtMs = Number.NEGATIVE_INFINITY;

  function take(events: readonly RegistryEvent[]): void {
    for (const event of events) {
      const action = actionOf(event);
      if (action === undefined || !('instance' in event)) continue;
      const { instance, atMs } = event;
      const key = `${instance.service.namespace}/${instance.service.group}/${instance.service.name}/${instance.id}`;
      const before = recent.get(key);
      // One that its readers have not met yet is new to them, however often it changed since.
      const told = action === 'MODIFIED' && before?.action === 'ADDED' ? 'ADDED' : action;
      recent.delete(key);
      recent.set(key, { action: told, instance, atMs });
    }
    prune();
  }

  function prune(): void {
    const oldest = clock.wallNow() - retentionMs;
    for (const [key, { atMs }] of recent) {
      if (atMs > oldest && recent.size <= maxInstances) return;
      if (atMs > oldest) overflowedAtMs = Math.max(overflowedAtMs, atMs);
      recent.delete(key);
    }
  }

  return {
    changes(namespace) {
      if (!unsubscribe) {
        unsubscribe = registry.events.subscribe(take);
        take(registry.events.since(registry.events.horizon) ?? []);
      }
      prune();
      if (overflowedAtMs > clock.wallNow() - retentionMs) return undefined;
      return [...recent.values()].filter(
        ({ instance }) => instance.service.namespace === namespace,
      );
    },
    close() {
      unsubscribe?.();
      recent.clear();
    },
  };
}

function actionOf(event: RegistryEvent): ActionType | undefined {
  switch (event.type) {
    case 'instance-registered':
      return 'ADDED';
    case 'instance-updated':
    case 'instance-status':
    case 'instance-intent':
      return 'MODIFIED';
    case 'instance-deregistered':
      return 'DELETED';
    default:
      return undefined;
  }
}
