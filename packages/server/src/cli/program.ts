import { Command, CommanderError, Option } from 'commander';
import { COMMANDS, type CommandEntry } from './command-table.ts';
import type { CliContext } from './context.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { DEFAULT_REGISTRY_URL } from './global-options.ts';
import { reportError } from './report-error.ts';
import { readVersion } from './version.ts';

/**
 * The command tree. Commands for which `wanted` holds are loaded with options and action, the others only with
 * name and summary, so that `portolan --help` loads nothing.
 */
export async function createProgram(
  context: CliContext,
  wanted: (entry: CommandEntry) => boolean,
): Promise<Command> {
  const program = new Command('portolan')
    .description('Service registry and gateway for containers.')
    .version(readVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print help of a command')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void context.stdout.write(text),
      writeErr: (text) => void context.stderr.write(text),
      getOutHelpWidth: () => context.stdout.columns ?? 100,
      getErrHelpWidth: () => context.stderr.columns ?? 100,
      outputError: (text, write) => write(text.replace(/^error: /, 'portolan: ')),
    })
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .showHelpAfterError('Run the command with --help for its options.')
    .addOption(
      new Option('--registry <url>', "the registry's control port; several with commas")
        .env('PORTOLAN_REGISTRY')
        .default(DEFAULT_REGISTRY_URL),
    )
    .addOption(
      new Option('-n, --namespace <name>', 'namespace')
        .env('PORTOLAN_NAMESPACE')
        .default('default'),
    )
    .addOption(
      new Option('-o, --output <format>', 'what to print')
        .choices(['table', 'json', 'wide', 'name'])
        .default('table'),
    )
    .addOption(new Option('--no-color', 'no colours, also on a terminal'))
    .addHelpText(
      'after',
      `\nExit codes:\n${Object.values(EXIT_CODES)
        .map(({ code, meaning }) => `  ${String(code).padEnd(4)}${meaning}`)
        .join('\n')}`,
    );
  for (const entry of COMMANDS) {
    if (wanted(entry)) (await entry.load())(program, context);
    else
      program
        .command(entry.name)
        .description(entry.summary)
        .action(() => undefined);
  }
  return program;
}

/** Runs one command line and resolves with the exit code; everything it says goes to the context's streams. */
export async function runCli(args: readonly string[], context: CliContext): Promise<number> {
  const end = args.indexOf('--');
  const words = new Set(end < 0 ? args : args.slice(0, end));
  try {
    const all = COMMANDS.some((entry) => entry.needsAll && words.has(entry.name));
    const program = await createProgram(context, (entry) => all || words.has(entry.name));
    if (args.length === 0) {
      program.outputHelp();
      return EXIT_CODES.ok.code;
    }
    await program.parseAsync(args, { from: 'user' });
    return context.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? EXIT_CODES.ok.code : EXIT_CODES.usage.code;
    }
    return reportError(error, context);
  }
}
