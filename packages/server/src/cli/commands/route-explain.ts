import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { CliContext } from '../context.ts';
import { explanationText } from '../output/explanation-text.ts';
import { printJson } from '../output/print.ts';
import { clientFor, globalOptions } from '../registry-client.ts';

interface ExplainOptions {
  readonly header?: readonly string[];
  readonly source?: string;
}

/** `portolan route explain` */
export function addRouteExplain(route: Command, context: CliContext): void {
  route
    .command('explain')
    .description('Says where the gateway would send a request, and why; sends nothing.')
    .argument('<method>', 'request method')
    .argument('<url>', 'absolute URL, as the client would ask for it')
    .option('--header <name: value>', 'request header; may be repeated', collectHeader)
    .option('--source <ip>', 'address the request comes from; default: this machine')
    .action(async (method: string, url: string, options: ExplainOptions, command: Command) => {
      const told = await clientFor(command, context).routes.explain({
        method: method.toUpperCase(),
        url,
        ...(options.header ? { headers: options.header } : {}),
        ...(options.source === undefined ? {} : { source: options.source }),
      });
      const { output } = globalOptions(command);
      if (output === 'json') printJson(told, context);
      else if (output === 'name') context.stdout.write(`${told.route?.name ?? ''}\n`);
      else context.stdout.write(explanationText(told));
    });
}

function collectHeader(value: string, previous: readonly string[] = []): readonly string[] {
  if (value.indexOf(':') <= 0) throw new InvalidArgumentError('Expected "Name: value".');
  return [...previous, value];
}
