import { formatProblem } from '../config/config-problem.ts';
import type { LoadedConfig } from '../config/load-config.ts';
import type { UsableConfig } from '../config/usable-config.ts';
import { watchConfigFiles } from '../config/watch-config.ts';
import type { ServerLogger } from '../telemetry/logger.ts';
import type { CliContext } from './context.ts';

/** What a configuration is put in force on. */
export interface Reloadable {
  reload(next: UsableConfig): Promise<void>;
}

/** Listens for reloads as long as the process lives; what is asked for before there is a server waits for it. */
export interface ConfigFollower {
  /** Puts new configurations in force on `server` from now on, and at once what was asked for before. */
  attach(server: Reloadable, logger: ServerLogger): void;
  /** Still listens, so that a signal does not end the process, and reloads nothing any more. */
  detach(): void;
  /** Stops listening. */
  end(): void;
}

/**
 * Reloads on SIGHUP and when a file changes; a configuration with problems changes nothing. One reading at a time, and
 * after it one more if it was asked for meanwhile: what was read last is in force last.
 */
export function followConfig(
  origin: { readonly paths: readonly string[]; readonly load: () => Promise<LoadedConfig> },
  context: Pick<CliContext, 'clock' | 'onSignal'>,
): ConfigFollower {
  const early: [Error, string][] = [];
  let target: { readonly server: Reloadable; readonly logger: ServerLogger } | undefined;
  let asked = false;
  let running = false;

  function request(): void {
    asked = true;
    if (!running) void run();
  }

  async function run(): Promise<void> {
    running = true;
    while (asked && target) {
      asked = false;
      const { logger } = target;
      try {
        await reload(await origin.load());
      } catch (error) {
        logger.error({ err: error }, 'configuration not reloaded');
      }
    }
    running = false;
  }

  async function reload(loaded: LoadedConfig): Promise<void> {
    if (!target) return;
    const { config, merged, documents, problems } = loaded;
    if (config) return target.server.reload({ config, merged, documents });
    for (const problem of problems) {
      target.logger.error({}, `configuration not reloaded: ${formatProblem(problem)}`);
    }
  }

  const endSignal = context.onSignal('SIGHUP', request);
  const endWatch = watchConfigFiles(origin.paths, request, {
    clock: context.clock,
    onFault: (error, folder) => {
      if (target) warn(target.logger, error, folder);
      else early.push([error, folder]);
    },
  });
  return {
    attach(server, logger) {
      target = { server, logger };
      for (const [error, folder] of early.splice(0)) warn(logger, error, folder);
      if (asked) request();
    },
    detach() {
      target = undefined;
    },
    end() {
      target = undefined;
      endSignal();
      endWatch();
    },
  };
}

function warn(logger: ServerLogger, error: Error, folder: string): void {
  logger.warn({ err: error, folder }, 'not watching for changes: use SIGHUP');
}
