import type { InstanceFilter, PortolanClient } from '@portolan/client';
import { type Command, Option } from 'commander';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { collectPair } from '../options.ts';
import { INSTANCE_COLUMNS, inReadingOrder } from '../output/instance-columns.ts';
import { printListing } from '../output/print.ts';
import { clientFor } from '../registry-client.ts';

interface InstancesOptions {
  readonly status?: string;
  readonly tag?: string;
  readonly meta?: Readonly<Record<string, string>>;
  readonly zone?: string;
  readonly routable?: true;
}

/** `portolan instances [service]` */
export function addInstances(program: Command, context: CliContext): void {
  program
    .command('instances')
    .summary('list instances of a service, or all')
    .description(
      'Lists instances. TRAFFIC says whether the gateway sends them requests; * marks those kept by mass-loss protection.',
    )
    .argument('[service]', 'name of the service; without it, all of the namespace')
    .addOption(
      new Option('--status <status>', 'only in this status').choices([
        'passing',
        'warning',
        'critical',
        'unknown',
      ]),
    )
    .option('--tag <tag>', 'only with this tag')
    .option('--meta <key=value>', 'only with this metadata; may be repeated', collectPair)
    .option('--zone <zone>', 'only in this zone')
    .option('--routable', 'only those that take traffic')
    .action(async (service: string | undefined, options: InstancesOptions, command: Command) => {
      const { meta, ...rest } = options;
      const filter: InstanceFilter = { ...rest, ...(meta ? { metadata: meta } : {}) };
      const client = clientFor(command, context);
      const instances = inReadingOrder(await listInstances(client, service, filter));
      printListing(
        {
          json: { instances },
          items: instances,
          name: (instance) => instance.id,
          whenEmpty: `No instances${service === undefined ? '' : ` of ${service}`} match.`,
          columns: INSTANCE_COLUMNS,
        },
        command,
        context,
      );
    });
}

async function listInstances(
  client: PortolanClient,
  service: string | undefined,
  filter: InstanceFilter,
) {
  if (service === undefined) return client.instances.list(filter);
  const { instances } = await client.services.view(service, filter);
  if (instances.length > 0) return instances;
  const services = await client.services.list();
  if (services.some((known) => known.service === service)) return instances;
  throw new CliError(`There is no service "${service}" in namespace "${client.namespace}".`, {
    exit: 'notFound',
    hints: ['`portolan services` lists those there are.'],
  });
}
