import { createRestAdapter, type RestAdapterOptions } from '@portolan/adapters';
import { type HttpProtocolAdapter, NO_METRICS } from '@portolan/core';
import { createGateway } from '@portolan/gateway';
import {
  type LocalRegistry,
  type RegistryOptionsInput,
  restoreSnapshot,
  saveSnapshot,
} from '@portolan/registry';
import type { MemoryStore, TurnableClock } from '@portolan/testing';
import { type ControlCaller, createControlCaller } from '../test-control/control-caller.ts';
import { createTurnedRegistry } from '../test-control/turned-registry.ts';
import { CONTAINER_BOARD } from './container-board.ts';

/** The native API over the real registry, without sockets, in a time that is turned. */
export interface NativeApi extends ControlCaller {
  readonly registry: LocalRegistry;
  readonly store: MemoryStore;
  readonly clock: TurnableClock;
  readonly adapter: HttpProtocolAdapter;
  /** What was logged as a fault of ours: has to stay empty. */
  readonly faults: readonly object[];
  close(): Promise<void>;
}

export interface NativeApiOptions {
  readonly registry?: RegistryOptionsInput;
  readonly adapter?: Partial<RestAdapterOptions>;
}

export async function createNativeApi(options: NativeApiOptions = {}): Promise<NativeApi> {
  const base = await createTurnedRegistry(options.registry);
  const { registry, store, clock, random, logger, addressPolicy } = base;
  // Without a listener: it explains.
  const gateway = createGateway(
    {},
    {
      catalogue: registry,
      clock,
      random,
      logger,
      metrics: NO_METRICS,
      addressPolicy,
      resolve: async () => [],
    },
  );
  const adapter = createRestAdapter(
    { version: '0.0.0-test', ...options.adapter },
    {
      registry,
      clock,
      logger,
      status: () => ({ version: '0.0.0-test', role: 'all', revision: registry.revision }),
      snapshot: {
        save: () => saveSnapshot(store, { createdAt: new Date(clock.wallNow()).toISOString() }),
        restore: (body, mode) => restoreSnapshot(store, () => chunks(body), { mode }),
      },
      explainer: () => gateway,
      containers: () => CONTAINER_BOARD,
      webhookFailures: () => [],
    },
  );
  const ending = new AbortController();
  const { signal } = ending;

  return {
    ...createControlCaller({ adapters: [adapter], clock, logger, signal }),
    registry,
    store,
    clock,
    adapter,
    faults: base.faults,
    async close() {
      ending.abort();
      await gateway.close();
      await base.close();
    },
  };
}

async function* chunks(body: Uint8Array): AsyncGenerator<Uint8Array> {
  yield body;
}
