import { compileRegistryOptions } from '../config/compile-registry-options.ts';
import { diffConfig } from '../config/diff-config.ts';
import type { UsableConfig } from '../config/usable-config.ts';
import type { ControlPart } from './control-part.ts';
import type { DataPlane } from './data-plane.ts';
import { refreshDialPolicy } from './dial-policy.ts';
import type { RegistryPart } from './registry-part.ts';
import type { ServerContext } from './server-context.ts';

/** What a reload reaches. */
export interface ReloadableParts {
  readonly control: ControlPart;
  readonly gateway?: DataPlane;
  readonly registry?: RegistryPart;
}

/** Makes the function that puts a new configuration in force without dropping a connection; reloads wait for each other. */
export function createReloader(
  context: ServerContext,
  first: UsableConfig,
  parts: ReloadableParts,
): (next: UsableConfig) => Promise<void> {
  const { logger } = context;
  let current = first;
  let running: Promise<void> = Promise.resolve();

  async function apply(next: UsableConfig): Promise<void> {
    const { live, needRestart } = diffConfig(current.merged, next.merged);
    current = next;
    const { config, documents } = next;
    const { role, store, gateway, control, dialects } = context.config;
    // What was read at the start stays as it is until the next one.
    context.config = {
      ...config,
      role,
      store,
      dialects,
      control: { ...config.control, listen: control.listen, limits: control.limits },
      gateway: {
        ...config.gateway,
        listen: gateway.listen,
        workers: gateway.workers,
        ...(gateway.registry === undefined ? {} : { registry: gateway.registry }),
      },
    };
    logger.setLevel(config.log.level);
    parts.control.setAllowedHosts(config.control.allowedHosts);
    refreshDialPolicy(context);
    for (const reload of context.onReload) reload();
    await parts.gateway?.configure();
    parts.registry?.registry.updateOptions(compileRegistryOptions(config));
    const refused = (await parts.registry?.apply(documents)) ?? [];
    for (const { path, reason } of refused)
      logger.error({ path, reason }, 'refused by the registry');
    if (live.length > 0) logger.info({ changed: live }, 'configuration reloaded');
    if (needRestart.length > 0) {
      logger.warn({ changed: needRestart }, 'these changes need a restart and are not in force');
    }
    if (live.length === 0 && needRestart.length === 0) {
      logger.info({}, 'configuration reloaded: nothing changed');
    }
  }

  return (next) => {
    running = running
      .then(() => apply(next))
      .catch((error: unknown) => {
        logger.error({ err: error }, 'the reload failed');
      });
    return running;
  };
}
