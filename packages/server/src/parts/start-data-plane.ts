import type { CatalogueReader } from '@portolan/core';
import { compileGatewayOptions } from '../config/compile-gateway-options.ts';
import type { DataPlane } from './data-plane.ts';
import { startGateway } from './gateway-part.ts';
import type { ServerContext } from './server-context.ts';

/** Starts the gateway over `catalogue`, with as many processes as configured. */
export async function startDataPlane(
  context: ServerContext,
  catalogue: CatalogueReader,
): Promise<DataPlane> {
  if (!context.config.gateway.listeners.some((one) => one.protocol === 'https' && one.acme)) {
    return await startGateways(context, catalogue);
  }
  const { prepareAcme, startAcme } = await import('./acme.ts');
  await prepareAcme(context);
  const plane = await startGateways(context, catalogue);
  startAcme(context, async () => {
    for (const reload of context.onReload) reload();
    await plane.configure();
  });
  return plane;
}

async function startGateways(
  context: ServerContext,
  catalogue: CatalogueReader,
): Promise<DataPlane> {
  if (context.config.gateway.workers > 1) {
    const { startWorkers } = await import('./workers-part.ts');
    return await startWorkers(context, catalogue);
  }
  const gateway = await startGateway(context, catalogue);
  return {
    configure: () => gateway.update(compileGatewayOptions(context.config)),
    stats: () => gateway.stats(),
    explain: (request) => gateway.explain(request),
  };
}
