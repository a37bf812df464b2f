import { Argument, type Command } from 'commander';
import { type Shell, toCompletionScript } from '../completion-script.ts';
import type { CliContext } from '../context.ts';

/** `portolan completion bash|zsh|fish` */
export function addCompletion(program: Command, context: CliContext): void {
  program
    .command('completion')
    .summary('print a completion script for a shell')
    .description(
      'Prints a completion script. For bash: source <(portolan completion bash); for zsh the same; for fish: portolan completion fish | source.',
    )
    .addArgument(new Argument('<shell>', 'which shell').choices(['bash', 'zsh', 'fish']))
    .action((shell: Shell) => {
      context.stdout.write(toCompletionScript(program, shell));
    });
}
