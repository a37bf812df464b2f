import type { PortolanServer } from '../compose.ts';
import { formatProblem } from '../config/config-problem.ts';
import { type ConfigSources, type LoadedConfig, loadConfig } from '../config/load-config.ts';
import { watchConfigFiles } from '../config/watch-config.ts';
import type { ServerLogger } from '../telemetry/logger.ts';
import type { CliContext } from './context.ts';

/** Reloads on SIGHUP and when a file changes; a configuration with problems changes nothing. Returns what ends it. */
export function followConfig(
  server: PortolanServer,
  origin: { readonly sources: ConfigSources; readonly loaded: LoadedConfig },
  deps: { readonly context: CliContext; readonly logger: ServerLogger },
): () => void {
  const { context, logger } = deps;
  const reload = (): void => {
    loadConfig(origin.sources)
      .then(async ({ config, merged, documents, problems }) => {
        if (config) return server.reload({ config, merged, documents });
        for (const problem of problems) {
          logger.error({}, `configuration not reloaded: ${formatProblem(problem)}`);
        }
      })
      .catch((error: unknown) => logger.error({ err: error }, 'configuration not reloaded'));
  };
  const endSignal = context.onSignal('SIGHUP', reload);
  const paths = origin.loaded.files.map(({ path }) => path);
  const endWatch = watchConfigFiles(paths, reload, { clock: context.clock, logger });
  return () => {
    endSignal();
    endWatch();
  };
}
