import { createClient, type PortolanClient } from '@portolan/client';
import type { Command } from 'commander';
import { CliError } from './cli-error.ts';
import type { CliContext } from './context.ts';
import type { GlobalOptions } from './global-options.ts';

/** The global options as given with this command. */
export function globalOptions(command: Command): GlobalOptions {
  return command.optsWithGlobals<GlobalOptions>();
}

/** A client for the registry and namespace that the command line names. */
export function clientFor(command: Command, context: CliContext): PortolanClient {
  const { registry, namespace } = globalOptions(command);
  const urls = registry.split(',').map((url) => url.trim());
  try {
    return createClient({ urls, namespace }, { clock: context.clock, random: context.random });
  } catch (cause) {
    throw new CliError(`--registry ${registry} is not an http or https URL.`, {
      exit: 'usage',
      hints: ['For example: --registry http://127.0.0.1:8500'],
      cause,
    });
  }
}
