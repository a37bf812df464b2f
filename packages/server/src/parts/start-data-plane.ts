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
