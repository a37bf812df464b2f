import { type Command, Option } from 'commander';
import { type ConfigFlags, toConfigSources } from '../../config/cli-sources.ts';
import type { ConfigSources } from '../../config/load-config.ts';
import type { CliContext } from '../context.ts';

/** Adds the flags that change the configuration. */
export function addConfigFlags(command: Command): Command {
  return command
    .addOption(
      new Option('-c, --config <file>', 'configuration file (default: portolan.yaml, if there)'),
    )
    .addOption(
      new Option('--role <role>', 'what this process does').choices([
        'both',
        'registry',
        'gateway',
      ]),
    )
    .option('--data-dir <folder>', 'where the registry keeps its data (default: .portolan)')
    .option('--control <host:port>', 'address of API and metrics (default: 127.0.0.1:8500)')
    .option('--gateway <host:port>', 'address of the gateway (default: 127.0.0.1:8080)')
    .option('--workers <count>', 'processes that serve the gateway (default: 1, in this one)')
    .option('--dns [host:port]', 'answer DNS questions (default: 127.0.0.1:8600)')
    .option('--grpc [host:port]', 'serve the API over gRPC (default: 127.0.0.1:8502)')
    .option(
      '--docker [engine]',
      'register the containers of a Docker Engine (default: DOCKER_HOST, else unix:///var/run/docker.sock)',
    )
    .option('--log-level <level>', 'debug, info, warn, error or silent')
    .option(
      '--set <path=value>',
      'any setting, as --set registry.checks.fall=2 (repeatable)',
      (value: string, before: readonly string[]) => [...before, value],
      [] as readonly string[],
    );
}

/** Where the configuration of this command line comes from. */
export function configSourcesOf(command: Command, context: CliContext): ConfigSources {
  const options = command.optsWithGlobals<ConfigFlags & { readonly registry?: string }>();
  // The global --registry has a default for the client's commands; here only a spoken one counts.
  const spoken = command.getOptionValueSourceWithGlobals('registry') === 'cli';
  return toConfigSources(options, {
    cwd: context.cwd,
    env: context.env,
    registry: spoken ? options.registry : undefined,
  });
}
