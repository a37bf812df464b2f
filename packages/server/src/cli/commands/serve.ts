import type { Command } from 'commander';
import { configFiles, loadConfig } from '../../config/load-config.ts';
import type { UsableConfig } from '../../config/usable-config.ts';
import { StartError } from '../../lifecycle/start-error.ts';
import { createServerLogger } from '../../telemetry/logger.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { type ConfigFollower, followConfig } from '../follow-config.ts';
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
    const paths = configFiles(sources).map(({ path }) => path);
    // Before the first reading: no signal can end the process, and no change is missed, from here on.
    const follower = followConfig({ paths, load: () => loadConfig(sources) }, context);
    try {
      const loaded = await loadConfig(sources);
      failOnProblems(loaded);
      const { config, merged, documents, warnings } = loaded;
      if (!config) throw new Error('A configuration without problems has to be there.');
      await serve({ config, merged, documents }, { follower, warnings }, context);
    } finally {
      follower.end();
    }
  });
}

async function serve(
  usable: UsableConfig,
  origin: { readonly follower: ConfigFollower; readonly warnings: readonly string[] },
  context: CliContext,
): Promise<void> {
  const { config } = usable;
  const logger = createServerLogger(config.log);
  for (const warning of origin.warnings) logger.warn({}, warning);
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
    origin.follower.attach(server, logger);
    await stop.promise;
    origin.follower.detach();
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
