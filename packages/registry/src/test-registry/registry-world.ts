import {
  type Change,
  createAddressPolicy,
  type HealthProbe,
  NO_LOGGER,
  NO_METRICS,
  type ProbeResult,
  type RegistrationInput,
  type ServiceKey,
  type ServiceView,
  type Store,
} from '@portolan/core';
import { MemoryStore, seededRandom, TurnableClock } from '@portolan/testing';
import { Catalogue } from '../catalogue/catalogue.ts';
import type { RegistryOptionsInput } from '../options/registry-options.ts';
import { createRegistry, type LocalRegistry } from '../registry.ts';

export const WEB: ServiceKey = { namespace: 'default', group: 'default', name: 'web' };
export const CALLER = { trusted: false };
export const LEASE = { ttlMs: 10_000, heartbeatMs: 3_000 };

export interface World<S extends Store = MemoryStore> {
  readonly registry: LocalRegistry;
  readonly clock: TurnableClock;
  readonly store: S;
  /** Ports whose probes fail. */
  readonly sick: Set<number>;
}

/** A registry on a turned clock; given a store and a clock, another one on the same. */
export async function aWorld(given: Partial<WorldOptions<MemoryStore>> = {}): Promise<World> {
  return aWorldOn({ store: new MemoryStore(), ...given });
}

export interface WorldOptions<S extends Store> {
  readonly store: S;
  readonly clock?: TurnableClock;
  readonly options?: RegistryOptionsInput;
  readonly seed?: number;
}

/** The same over any store. */
export async function aWorldOn<S extends Store>(given: WorldOptions<S>): Promise<World<S>> {
  const { store, clock = new TurnableClock(), options = {} } = given;
  const sick = new Set<number>();
  const probe: HealthProbe = {
    kind: 'tcp',
    check: async ({ port }): Promise<ProbeResult> => ({
      status: sick.has(port) ? 'critical' : 'passing',
      output: '',
      durationMs: 1,
    }),
  };
  const registry = await createRegistry(options, {
    store,
    clock,
    random: seededRandom(given.seed ?? 11),
    logger: NO_LOGGER,
    metrics: NO_METRICS,
    probes: [probe],
    addressPolicy: createAddressPolicy({ allowLoopback: true, ownEndpoints: [] }),
    nextTurn: () => Promise.resolve(),
  });
  return { registry, clock, store, sick };
}

/** Instance `i<at>` of `web` at port 1000 + at. */
export function anInstance(at: number, more: Partial<RegistrationInput> = {}): RegistrationInput {
  return {
    service: WEB,
    id: `i${at}`,
    address: '127.0.0.1',
    port: 1_000 + at,
    lease: LEASE,
    ...more,
  };
}

/** A check of the port, every second; three failures take the instance out. */
export function aCheck(port: number) {
  return {
    id: 'port',
    probe: { kind: 'tcp', host: '127.0.0.1', port },
    intervalMs: 1_000,
    timeoutMs: 500,
  } as const;
}

export function ref(at: number): { readonly namespace: string; readonly id: string } {
  return { namespace: 'default', id: `i${at}` };
}

/**
 * The service's view at every single revision that the store ever had, made anew from its changes: what a registry shows may leave out
 * revisions that became durable together.
 */
export async function everyView(
  store: Store,
  service: ServiceKey = WEB,
): Promise<readonly ServiceView[]> {
  const catalogue = new Catalogue(
    { eventWindowSize: 1, maxTombstones: 1_000 },
    { logger: NO_LOGGER, wallNow: () => 0, onApplied: () => undefined },
  );
  catalogue.load().end(0);
  const views: ServiceView[] = [];
  const aborting = new AbortController();
  const take = (changes: readonly Change[]): void => {
    catalogue.apply(changes);
    const view = catalogue.view(service);
    if (view && view !== views.at(-1)) views.push(view);
  };
  if (store.revision === 0) return views;
  for await (const changes of store.watch('', 0, aborting.signal)) {
    for (let at = 0; at < changes.length; ) {
      const next = changes.findIndex(({ revision }) => revision > (changes[at]?.revision ?? 0));
      take(changes.slice(at, next < 0 ? changes.length : next));
      at = next < 0 ? changes.length : next;
    }
    if (catalogue.revision >= store.revision) aborting.abort();
  }
  return views;
}
