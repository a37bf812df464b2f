import {
  type Clock,
  type Instance,
  type Registry,
  type RegistryEvent,
  serviceId,
} from '@portolan/core';
import type { ActionType } from './instance-info.ts';

export interface RecentChange {
  readonly action: ActionType;
  /** As it is now; one that is gone as it was last. */
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
      if (event.type === 'active-changed') {
        // Who stands by is out of service to Eureka's clients: a change of roles changes them all.
        for (const instance of registry.view(event.service)?.instances ?? []) {
          note(instance, 'MODIFIED', event.atMs);
        }
      } else if ('instance' in event) {
        const action = actionOf(event.type);
        if (action !== undefined) note(event.instance, action, event.atMs);
      }
    }
    prune();
  }

  function note(instance: Instance, action: ActionType, atMs: number): void {
    const { namespace, group, name } = instance.service;
    const key = `${namespace}/${group}/${name}/${instance.id}`;
    const before = recent.get(key);
    // One that its readers have not met yet is new to them, however often it changed since.
    const told = action === 'MODIFIED' && before?.action === 'ADDED' ? 'ADDED' : action;
    recent.delete(key);
    recent.set(key, { action: told, instance, atMs });
  }

  function prune(): void {
    const oldest = clock.wallNow() - retentionMs;
    for (const [key, { atMs }] of recent) {
      if (atMs > oldest && recent.size <= maxInstances) return;
      if (atMs > oldest) overflowedAtMs = Math.max(overflowedAtMs, atMs);
      recent.delete(key);
    }
  }

  /** The hash beside it counts what is now, so that is what is told. */
  function asOfNow(change: RecentChange): RecentChange {
    if (change.action === 'DELETED') return change;
    const { id, service } = change.instance;
    const present = registry.instance({ namespace: service.namespace, id });
    return present && serviceId(present.service) === serviceId(service)
      ? { ...change, instance: present }
      : change;
  }

  return {
    changes(namespace) {
      if (!unsubscribe) {
        unsubscribe = registry.events.subscribe(take);
        take(registry.events.since(registry.events.horizon) ?? []);
      }
      prune();
      if (overflowedAtMs > clock.wallNow() - retentionMs) return undefined;
      const told: RecentChange[] = [];
      for (const change of recent.values()) {
        if (change.instance.service.namespace === namespace) told.push(asOfNow(change));
      }
      return told;
    },
    close() {
      unsubscribe?.();
      recent.clear();
    },
  };
}

function actionOf(type: RegistryEvent['type']): ActionType | undefined {
  switch (type) {
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
