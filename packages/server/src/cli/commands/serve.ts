import type { Command } from 'commander';
import { type ConfigSources, type LoadedConfig, loadConfig } from '../../config/load-config.ts';
import type { UsableConfig } from '../../config/usable-config.ts';
import { StartError } from '../../lifecycle/start-error.ts';
import { createServerLogger } from '../../telemetry/logger.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { followConfig } from '../follow-config.ts';
import { startText } from '../start-text.ts';
import { readVersion } from '../version.ts';
import { failOnProblems } from './config.ts';
import { addConfigFlags, configSourcesOf } from './config-flags.ts';

/** `portolan serve` */
export function addServe(program: Command, context: CliContext): void {
  addConfigFlags(
    program
      .command('serve')
      .summary('run registry and gateway')
      .description(
        'Runs the registry and the gateway in this process, or one of them. Prints "ready" on standard output once it serves.',
      ),
  ).action(async (_options: object, command: Command) => {
    const sources = configSourcesOf(command, context);
    const loaded = await loadConfig(sources);
    failOnProblems(loaded);
    const { config, merged, documents } = loaded;
    if (!config) throw new Error('A configuration without problems has to be there.');
    await serve({ config, merged, documents }, { sources, loaded }, context);
  });
}

async function serve(
  usable: UsableConfig,
  origin: { readonly sources: ConfigSources; readonly loaded: LoadedConfig },
  context: CliContext,
): Promise<void> {
  const { config } = usable;
  const logger = createServerLogger(config.log);
  for (const warning of origin.loaded.warnings) logger.warn({}, warning);
  const stopping = new AbortController();
  const stop = Promise.withResolvers<void>();
  let signals = 0;
  const onStop = (signal: NodeJS.Signals) => (): void => {
    signals += 1;
    if (signals > 1) {
      logger.warn({ signal }, 'second signal: stopping without waiting');
      context.exitNow(EXIT_CODES.failure.code);
      return;
    }
    logger.info({ signal }, 'shutting down; a second signal stops at once');
    stopping.abort();
    stop.resolve();
  };
  const signalNames = ['SIGTERM', 'SIGINT'] as const;
  const unsubscribe = signalNames.map((signal) => context.onSignal(signal, onStop(signal)));
  try {
    const { startServer } = await import('../../compose.ts');
    const version = readVersion();
    const server = await startServer(
      { ...usable, workingDir: context.cwd, version },
      { clock: context.clock, random: context.random, logger, stopping: stopping.signal },
    );
    context.stdout.write(startText(server, { version, config }));
    context.stdout.write('ready\n');
    unsubscribe.push(followConfig(server, origin, { context, logger }));
    await stop.promise;
    const { unfinished } = await server.close();
    logger.info({ unfinished }, 'stopped');
    // What did not end in time still holds sockets or files: the process ends all the same.
    if (unfinished.length > 0) context.exitNow(EXIT_CODES.failure.code);
  } catch (error) {
    if (stopping.signal.aborted) return;
    if (!(error instanceof StartError)) throw error;
    throw new CliError(error.message, { hints: error.hints, cause: error });
  } finally {
    for (const end of unsubscribe) end();
  }
}
