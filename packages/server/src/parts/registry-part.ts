import { join } from 'node:path';
import {
  type ContainerBoard,
  createProbes,
  createRestAdapter,
  createWebhookDispatcher,
  lookupHost,
} from '@portolan/adapters';
import type { HttpProtocolAdapter, RouteExplainer } from '@portolan/core';
import { createRegistry, type LocalRegistry, openEmbeddedStore } from '@portolan/registry';
import { compileRegistryOptions } from '../config/compile-registry-options.ts';
import type { ConfigDocuments } from '../config/parse-documents.ts';
import { applyDocuments, type RefusedDocument } from './owned-documents.ts';
import { createPreflight } from './preflight.ts';
import type { ServerContext } from './server-context.ts';
import { createSnapshotPort } from './snapshot-port.ts';

export interface RegistryPart {
  readonly registry: LocalRegistry;
  readonly adapters: readonly HttpProtocolAdapter[];
  /** Brings the configuration's own services and routes in force; gives back what was refused. */
  apply(documents: ConfigDocuments): Promise<readonly RefusedDocument[]>;
}

/** Opens the store and starts the control plane on it. */
export async function startRegistry(
  context: ServerContext,
  status: () => object,
  explainer: () => RouteExplainer | undefined,
  containers: () => ContainerBoard | undefined,
): Promise<RegistryPart> {
  const { config, clock, logger, stack } = context;
  const store = await openEmbeddedStore(
    { path: context.dataDir },
    { logger: logger.child({ component: 'store' }) },
  );
  stack.push('store', () => store.close());
  const dialling = { ...context, resolve: lookupHost };
  const probes = createProbes(dialling);
  const registry = await createRegistry(compileRegistryOptions(config), {
    ...context,
    store,
    logger: logger.child({ component: 'registry' }),
    probes,
    preflight: createPreflight(dialling),
  });
  stack.push('registry', () => registry.close());
  const webhooks = createWebhookDispatcher(
    {},
    { ...dialling, registry, logger: logger.child({ component: 'webhooks' }) },
  );
  stack.push('webhooks', () => webhooks.close());
  const rest = createRestAdapter(
    {
      version: context.version,
      maxWatchers: config.control.limits.watchers,
      agentTimes: { writeIdleTimeoutMs: config.control.limits.writeTimeout },
    },
    {
      registry,
      clock,
      logger: logger.child({ component: 'api' }),
      metrics: context.metrics,
      status,
      snapshot: createSnapshotPort(store, { clock, logger }),
      explainer,
      containers,
      webhookFailures: (id) => webhooks.failures(id),
    },
  );
  const ownership = {
    registry,
    logger: logger.child({ component: 'config' }),
    ownershipPath: join(context.dataDir, 'config-owned.json'),
  };
  return {
    registry,
    adapters: [rest],
    apply: (documents) => applyDocuments(documents, ownership),
  };
}
