import {
  type AddressPolicy,
  createAddressPolicy,
  type HealthProbe,
  type Logger,
  NO_LOGGER,
  NO_METRICS,
} from '@portolan/core';
import { createRegistry, type LocalRegistry, type RegistryOptionsInput } from '@portolan/registry';
import { MemoryStore, seededRandom, TurnableClock } from '@portolan/testing';

/** The real registry over a store in memory, in a time that is turned. */
export interface TurnedRegistry {
  readonly registry: LocalRegistry;
  readonly store: MemoryStore;
  readonly clock: TurnableClock;
  readonly random: () => number;
  readonly logger: Logger;
  /** What was logged as a fault of ours: has to stay empty. */
  readonly faults: readonly object[];
  readonly addressPolicy: AddressPolicy;
  close(): Promise<void>;
}

/** Asks nothing: in a turned time no instance is there to answer, and checks stay as they are reported. */
const silentProbe = (kind: HealthProbe['kind']): HealthProbe => ({
  kind,
  check: (_target, _config, signal) =>
    new Promise((resolve) => {
      const end = (): void => resolve({ status: 'critical', output: 'no answer', durationMs: 0 });
      signal.addEventListener('abort', end, { once: true });
    }),
});

export async function createTurnedRegistry(
  options: RegistryOptionsInput = {},
): Promise<TurnedRegistry> {
  const clock = new TurnableClock();
  const random = seededRandom(7);
  const store = new MemoryStore();
  const { faults, logger } = faultLog();
  const addressPolicy = createAddressPolicy({ allowLoopback: true, ownEndpoints: [] });
  const registry = await createRegistry(options, {
    store,
    clock,
    random,
    logger,
    metrics: NO_METRICS,
    probes: [silentProbe('http'), silentProbe('tcp'), silentProbe('grpc')],
    addressPolicy,
  });
  return {
    registry,
    store,
    clock,
    random,
    logger,
    faults,
    addressPolicy,
    async close() {
      await registry.close();
      await store.close();
    },
  };
}

/** A log that keeps what is a fault of ours. */
export function faultLog(): { readonly faults: readonly object[]; readonly logger: Logger } {
  const faults: object[] = [];
  return { faults, logger: { ...NO_LOGGER, error: (fields) => void faults.push(fields) } };
}
