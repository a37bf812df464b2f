import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { printJson } from '../output/print.ts';
import { toPrintable } from '../output/printable.ts';
import { clientFor, globalOptions } from '../registry-client.ts';

/** `portolan deregister` */
export function addDeregister(program: Command, context: CliContext): void {
  program
    .command('deregister')
    .summary('deregister instances, or all of a service')
    .description('Removes instances from the registry; traffic stops at once.')
    .argument('[id...]', 'instance ids')
    .option('--service <name>', 'all instances of the service, after confirmation')
    .option('-y, --yes', 'do not ask')
    .action(
      async (
        ids: readonly string[],
        options: { service?: string; yes?: true },
        command: Command,
      ) => {
        if ((ids.length === 0) === (options.service === undefined)) {
          throw new CliError('Name either instance ids or --service.', { exit: 'usage' });
        }
        const client = clientFor(command, context);
        const targets =
          options.service === undefined
            ? ids
            : (await client.services.view(options.service)).instances.map(({ id }) => id);
        if (targets.length === 0) {
          throw new CliError(`"${options.service}" has no instances.`, { exit: 'notFound' });
        }
        if (options.service !== undefined && !options.yes) {
          await confirm(`Deregister ${count(targets.length)} of "${options.service}"?`, context);
        }
        const { output } = globalOptions(command);
        const removed: unknown[] = [];
        for (const [index, id] of targets.entries()) {
          if (context.stderr.isTTY && targets.length > 20) {
            context.stderr.write(`\r${index + 1} of ${targets.length}`);
          }
          const { deregistered } = await client.instances.deregister(id);
          removed.push(deregistered);
          if (output !== 'json') {
            context.stdout.write(
              `${toPrintable(id)}${output === 'name' ? '' : ': deregistered'}\n`,
            );
          }
        }
        if (output === 'json') printJson({ deregistered: removed }, context);
      },
    );
}

async function confirm(question: string, context: CliContext): Promise<void> {
  if (!context.stdin.isTTY) {
    throw new CliError(`${question} There is no terminal to ask on.`, {
      exit: 'usage',
      hints: ['Say --yes to go on.'],
    });
  }
  const lines = createInterface({ input: context.stdin as unknown as NodeJS.ReadableStream });
  try {
    context.stderr.write(`${question} [y/N] `);
    const [answer] = await Promise.race([
      new Promise<[string]>((resolve) => lines.once('line', (line) => resolve([line]))),
      new Promise<[string]>((resolve) => lines.once('close', () => resolve(['']))),
    ]);
    if (!/^y(es)?$/i.test(answer.trim())) throw new CliError('Nothing was deregistered.');
  } finally {
    lines.close();
  }
}

function count(instances: number): string {
  return instances === 1 ? '1 instance' : `${instances} instances`;
}
