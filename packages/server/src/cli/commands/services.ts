import type { ServiceDocument } from '@portolan/client';
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { printListing } from '../output/print.ts';
import { clientFor } from '../registry-client.ts';

/** `portolan services` */
export function addServices(program: Command, context: CliContext): void {
  program
    .command('services')
    .summary('list services')
    .description('Lists the services of the namespace with how many instances can take traffic.')
    .action(async (_options: object, command: Command) => {
      const found = await clientFor(command, context).services.list();
      const services = [...found].sort((a, b) => (a.service < b.service ? -1 : 1));
      printListing<ServiceDocument>(
        {
          json: { services },
          items: services,
          name: (service) => service.service,
          whenEmpty: 'No services yet. Register one with `portolan register` or `portolan agent`.',
          columns: [
            { head: 'SERVICE', cell: (service) => service.service },
            { head: 'GROUP', cell: (service) => service.group, wide: true },
            { head: 'INSTANCES', cell: (service) => String(service.instances) },
            {
              head: 'ROUTABLE',
              cell: (service, palette) => ({
                text: String(service.routable),
                style: service.routable > 0 ? palette.good : palette.bad,
              }),
            },
            {
              head: 'PROTECTED',
              cell: (service, palette) => ({
                text: service.protected ? 'yes' : 'no',
                style: service.protected ? palette.warning : palette.quiet,
              }),
            },
            {
              head: 'EXCLUSIVE',
              cell: (service) => (service.exclusive === true ? 'yes' : 'no'),
              wide: true,
            },
            { head: 'REVISION', cell: (service) => String(service.revision), wide: true },
          ],
        },
        command,
        context,
      );
    });
}
