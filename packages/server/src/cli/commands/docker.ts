import { type ContainerDocument, isPortolanError } from '@portolan/client';
import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { containersText } from '../output/containers-text.ts';
import { toAuthority } from '../output/instance-columns.ts';
import type { Palette } from '../output/palette.ts';
import { type Column, printJson, printListing } from '../output/print.ts';
import { clientFor, globalOptions } from '../registry-client.ts';

/** `portolan docker ps|explain`. */
export function addDocker(program: Command, context: CliContext): void {
  const docker = program
    .command('docker')
    .description('containers of the Docker Engine that the registry follows');

  docker
    .command('ps')
    .summary('list containers and what became of them')
    .description(
      'Lists the containers, and the tasks and services of a swarm: registered where, or why not.',
    )
    .option('-a, --all', 'also those that no label asks for and those that are stopped')
    .action(async (options: { readonly all?: true }, command: Command) => {
      const told = await answered(clientFor(command, context).containers.list());
      const containers = told.containers.filter(
        ({ standing }) =>
          options.all === true || standing === 'registered' || standing === 'unroutable',
      );
      printListing(
        {
          json: { ...told, containers },
          items: containers,
          name: ({ name }) => name,
          whenEmpty: told.connected
            ? 'No container asks to be registered; `portolan docker ps --all` lists the others.'
            : `${told.engine} does not answer, and nothing is known of it yet: ${told.problem ?? ''}`,
          columns: COLUMNS,
        },
        command,
        context,
      );
      if (!told.connected && containers.length > 0) {
        context.stderr.write(
          `${told.engine} does not answer (${told.problem ?? ''}): this is what it last said.\n`,
        );
      }
    });

  docker
    .command('explain')
    .description(
      'Says which rule chose the address and port of a container, and what was passed over.',
    )
    .argument('<container>', 'name or id of a container, or name of a Swarm service')
    .action(async (container: string, _options: object, command: Command) => {
      const told = await answered(clientFor(command, context).containers.explain(container));
      const { output } = globalOptions(command);
      if (output === 'json') printJson(told, context);
      else if (output === 'name') {
        context.stdout.write(told.containers.map(({ name }) => `${name}\n`).join(''));
      } else context.stdout.write(containersText(told));
    });
}

/** A path that is not there means here that no engine is followed, or that it has no such container. */
async function answered<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!isPortolanError(error) || error.code !== 'PATH_NOT_FOUND') throw error;
    throw new CliError(error.message, {
      exit: 'notFound',
      hints: ['`portolan docker ps --all` lists the containers there are.'],
      cause: error,
    });
  }
}

const COLUMNS: readonly Column<ContainerDocument>[] = [
  { head: 'NAME', cell: ({ name }) => name },
  { head: 'ID', cell: ({ id }) => id.slice(0, 12), wide: true },
  { head: 'IMAGE', cell: ({ image }) => image, wide: true, flexible: true },
  { head: 'STATE', cell: ({ state }) => state },
  {
    head: 'STANDING',
    cell: ({ standing }, palette) => ({ text: standing, style: styleOf(standing, palette) }),
  },
  {
    head: 'SERVICE',
    cell: ({ services }) => [...new Set(services.map(({ service }) => service))].join(','),
  },
  {
    head: 'ADDRESS',
    cell: ({ services }) =>
      services
        .flatMap(({ address, port }) =>
          address === null || port === null ? [] : [toAuthority(address, port)],
        )
        .join(','),
  },
  { head: 'REASON', cell: ({ reason }) => reason, flexible: true },
];

function styleOf(standing: ContainerDocument['standing'], palette: Palette) {
  if (standing === 'registered') return palette.good;
  return standing === 'unroutable' ? palette.bad : palette.warning;
}
