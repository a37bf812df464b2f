import type { ServiceSettingsDocument, ViewDocument } from '@portolan/client';
import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { INSTANCE_COLUMNS, inReadingOrder } from '../output/instance-columns.ts';
import { printJson, printListing, printOutcome } from '../output/print.ts';
import { toPrintable } from '../output/printable.ts';
import { clientFor, globalOptions } from '../registry-client.ts';

interface GroupOption {
  readonly group?: string;
}

/** `portolan service get|set|reset|hand-over` */
export function addService(program: Command, context: CliContext): void {
  const service = program
    .command('service')
    .summary('make a service exclusive, see who is active, hand over')
    .description(
      'What is settled for a service as a whole. Of an exclusive service one instance is active and takes traffic; the others stand by.',
    );
  const add = (name: string, description: string): Command =>
    service
      .command(name)
      .description(description)
      .argument('<service>', 'name of the service')
      .option('--group <group>', 'group of the service');

  add('get', 'Shows whether the service is exclusive, who is active, and its instances.')
    .alias('describe')
    .action(async (name: string, scope: GroupOption, command: Command) => {
      const client = clientFor(command, context);
      const settings = await client.services.settings(name, scope);
      const view = await client.services.view(name, {}, scope);
      if (view.instances.length === 0 && settings.modifyRevision === 0) {
        throw new CliError(
          `There is no service "${name}" in namespace "${client.namespace}", and nothing is settled for one.`,
          { exit: 'notFound', hints: ['`portolan services` lists those there are.'] },
        );
      }
      const json = { ...settings, term: view.exclusive ?? null, instances: view.instances };
      const { output } = globalOptions(command);
      if (output === 'json') {
        printJson(json, context);
        return;
      }
      if (output !== 'name')
        context.stdout.write(toPrintable(describe(settings, view)).concat('\n'));
      printListing(
        {
          json,
          items: inReadingOrder(view.instances),
          columns: INSTANCE_COLUMNS,
          name: (instance) => instance.id,
          whenEmpty: 'It has no instances.',
        },
        command,
        context,
      );
    });
  add('set', 'Settles whether the service is exclusive; it stays so whoever comes and goes.')
    .option('--exclusive', 'at most one instance is active')
    .option('--no-exclusive', 'all take traffic; registrations that ask for exclusive are refused')
    .action(
      async (name: string, options: GroupOption & { exclusive?: boolean }, command: Command) => {
        const { exclusive, ...scope } = options;
        if (exclusive === undefined) {
          throw new CliError('Say what to settle: --exclusive or --no-exclusive.', {
            exit: 'usage',
          });
        }
        const client = clientFor(command, context);
        const document = await client.services.putSettings(name, { exclusive }, scope);
        const sentence = `${name}: ${exclusive ? 'exclusive' : 'not exclusive'}`;
        printOutcome({ json: document, name, sentence }, command, context);
      },
    );
  add('reset', 'Settles nothing any more: the service is not exclusive.').action(
    async (name: string, scope: GroupOption, command: Command) => {
      const answer = await clientFor(command, context).services.deleteSettings(name, scope);
      const sentence = `${name}: nothing is settled`;
      printOutcome({ json: answer, name, sentence }, command, context);
    },
  );
  add('hand-over', 'Makes another instance of an exclusive service active.')
    .option('--to <id>', 'this instance; default: the next in line')
    .action(async (name: string, options: GroupOption & { to?: string }, command: Command) => {
      const { to, ...scope } = options;
      const client = clientFor(command, context);
      const answer = await client.services.handOver(name, to === undefined ? {} : { to }, scope);
      const sentence = `${name}: ${answer.active} is active, term ${answer.term}`;
      printOutcome({ json: answer, name: answer.active ?? name, sentence }, command, context);
    });
}

function describe({ service, exclusive }: ServiceSettingsDocument, view: ViewDocument): string {
  if (!exclusive) return `${service}: not exclusive`;
  const term = view.exclusive;
  if (!term || term.active === null) return `${service}: exclusive, nobody is active`;
  return `${service}: exclusive, ${term.active} is active since ${term.since}, term ${term.term}`;
}
