import type { Command } from 'commander';
import { formatProblem } from '../../config/config-problem.ts';
import { describeConfig } from '../../config/describe-config.ts';
import { configJsonSchema } from '../../config/leaves.ts';
import { type LoadedConfig, loadConfig } from '../../config/load-config.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { addConfigFlags, configSourcesOf } from './config-flags.ts';

/** `portolan config show|check|schema`. */
export function addConfigCommand(program: Command, context: CliContext): void {
  const config = program.command('config').description('show or check the configuration');

  addConfigFlags(
    config.command('show').description('every setting in force and where it came from'),
  ).action(async (_options: object, command: Command) => {
    const loaded = await loadConfig(configSourcesOf(command, context));
    failOnProblems(loaded);
    show(loaded, context, command.optsWithGlobals<{ output: string }>().output);
  });

  addConfigFlags(
    config
      .command('check')
      .description('read the configuration and report every problem')
      .argument('[file]', 'configuration file'),
  ).action(async (file: string | undefined, _options: object, command: Command) => {
    const sources = configSourcesOf(command, context);
    const loaded = await loadConfig(file === undefined ? sources : { ...sources, file });
    for (const warning of loaded.warnings) context.stderr.write(`warning: ${warning}\n`);
    failOnProblems(loaded);
    const present = loaded.files.filter((candidate) => candidate.present);
    const read = present.map((candidate) => candidate.path).join(', ');
    context.stdout.write(`ok: ${read === '' ? 'no file, defaults and environment only' : read}\n`);
  });

  config
    .command('schema')
    .description('print the JSON Schema of portolan.yaml, for editors')
    .action(() => void context.stdout.write(`${JSON.stringify(configJsonSchema(), null, 2)}\n`));
}

/** Ends the command with exit code 78 and every problem on a line of its own. */
export function failOnProblems(loaded: LoadedConfig): void {
  if (loaded.problems.length === 0) return;
  const count = loaded.problems.length === 1 ? 'a problem' : `${loaded.problems.length} problems`;
  throw new CliError(`the configuration has ${count}`, {
    exit: 'config',
    hints: loaded.problems.map(formatProblem),
  });
}

function show(loaded: LoadedConfig, context: CliContext, output: string): void {
  const lines = describeConfig(loaded.merged);
  if (output === 'json') {
    context.stdout.write(`${JSON.stringify(lines, null, 2)}\n`);
    return;
  }
  const texts = lines.map(({ path, value, from }) => ({
    from,
    text: `${path} = ${JSON.stringify(value)}`,
  }));
  const width = Math.min(72, Math.max(...texts.map(({ text }) => text.length)));
  for (const { text, from } of texts) {
    context.stdout.write(`${text.padEnd(width)}  # ${from}\n`);
  }
}
