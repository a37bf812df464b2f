import { createProbes, createRestAdapter, lookupHost } from '@portolan/adapters';
import { systemClock } from '@portolan/client';
import { type AddressPolicy, NO_LOGGER, NO_METRICS } from '@portolan/core';
import { createGateway } from '@portolan/gateway';
import { createRegistry, type LocalRegistry } from '@portolan/registry';
import { MemoryStore, seededRandom } from '@portolan/testing';
import { CONTAINER_BOARD } from '../../compose/test-rest/container-board.ts';
import { createControlListener } from '../../control/control-listener.ts';

/** A registry on a control port of its own, with the product's parts but for its store, which is memory. */
export interface SmallRegistry {
  readonly url: string;
  readonly registry: LocalRegistry;
  close(): Promise<void>;
}

const anywhere: AddressPolicy = { check: () => ({ allowed: true }) };

/** Starts a registry on a free port of the loopback address, or on the given one. */
export async function startSmallRegistry(port = 0): Promise<SmallRegistry> {
  const shared = { clock: systemClock, random: seededRandom(1), logger: NO_LOGGER };
  const registry = await createRegistry(
    {},
    {
      ...shared,
      store: new MemoryStore(),
      metrics: NO_METRICS,
      probes: createProbes({ ...shared, addressPolicy: anywhere, resolve: lookupHost }),
      addressPolicy: anywhere,
    },
  );
  // Without a listener: it explains.
  const gateway = createGateway(
    {},
    {
      ...shared,
      catalogue: registry,
      metrics: NO_METRICS,
      addressPolicy: anywhere,
      resolve: async () => [],
    },
  );
  const listener = createControlListener(
    { name: 'control', limits: {}, allowedHosts: [] },
    { ...shared, metrics: NO_METRICS },
  );
  const rest = createRestAdapter(
    { version: '0.0.0' },
    {
      ...shared,
      registry,
      explainer: () => gateway,
      containers: () => CONTAINER_BOARD,
      status: () => ({ version: '0.0.0', role: 'both', revision: registry.revision }),
    },
  );
  listener.mount([rest]);
  const bound = await listener.listen({ host: '127.0.0.1', port });
  return {
    url: `http://127.0.0.1:${bound.port}`,
    registry,
    async close() {
      await listener.close(200);
      await gateway.close();
      await registry.close();
    },
  };
}
