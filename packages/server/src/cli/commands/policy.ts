import type { PolicyBody, PolicyDocument } from '@portolan/client';
import { type Command, InvalidArgumentError } from 'commander';
import type { CliContext } from '../context.ts';
import { type Column, printJson, printListing, printOutcome } from '../output/print.ts';
import { readDocument } from '../read-document.ts';
import { clientFor, globalOptions } from '../registry-client.ts';

interface SetOptions {
  readonly file: string;
  readonly create?: true;
  readonly ifRevision?: number;
}

const COLUMNS: readonly Column<PolicyDocument>[] = [
  { head: 'SERVICE', cell: (policy) => policy.service },
  { head: 'BALANCER', cell: (policy) => policy.balancer ?? '-' },
  { head: 'SUBSETS', cell: (policy) => Object.keys(policy.subsets).join(',') || '-' },
  { head: 'SAYS', cell: describeSettings, flexible: true },
  { head: 'REVISION', cell: (policy) => String(policy.modifyRevision), wide: true },
];

/** `portolan policy`. */
export function addPolicy(program: Command, context: CliContext): void {
  const policy = program
    .command('policy')
    .summary('list, show, set and delete traffic policies')
    .description("Traffic policies say how the gateway treats a service's instances.");

  function printPolicies(
    policies: readonly PolicyDocument[],
    json: unknown,
    command: Command,
  ): void {
    printListing(
      {
        json,
        items: policies,
        columns: COLUMNS,
        name: (item) => item.service,
        whenEmpty:
          'No traffic policies. Without one a service is treated as the configuration says.',
      },
      command,
      context,
    );
  }

  policy
    .command('list')
    .alias('ls')
    .description('Lists the traffic policies of the namespace.')
    .action(async (_options: object, command: Command) => {
      const policies = await clientFor(command, context).policies.list();
      printPolicies(policies, { policies }, command);
    });
  policy
    .command('get')
    .description('Shows the policy of a service.')
    .argument('<service>', 'name of the service')
    .action(async (service: string, _options: object, command: Command) => {
      const document = await clientFor(command, context).policies.get(service);
      printPolicies([document], document, command);
    });
  policy
    .command('set')
    .description('Creates or replaces the policy of a service, from a YAML or JSON file.')
    .argument('<service>', 'name of the service')
    .requiredOption('-f, --file <file>', 'read the policy from this file; - is standard input')
    .option('--create', 'fail when there is one')
    .option('--if-revision <n>', 'fail unless it is at this revision', parseCount)
    .action(async (service: string, options: SetOptions, command: Command) => {
      const body = (await readDocument(options.file, context)) as PolicyBody;
      const condition = options.create ? ('absent' as const) : options.ifRevision;
      const scope = condition === undefined ? {} : { if: condition };
      const document = await clientFor(command, context).policies.put(service, body, scope);
      const sentence = `${service}: set, ${describeSettings(document) || 'no settings'}`;
      printOutcome({ json: document, name: service, sentence }, command, context);
    });
  policy
    .command('delete')
    .alias('rm')
    .description('Deletes the policy of a service.')
    .argument('<service>', 'name of the service')
    .action(async (service: string, _options: object, command: Command) => {
      const answer = await clientFor(command, context).policies.delete(service);
      if (globalOptions(command).output === 'json') printJson(answer, context);
      else {
        const sentence = `${service}: policy deleted`;
        printOutcome({ json: answer, name: service, sentence }, command, context);
      }
    });
}

const NOT_SETTINGS = new Set([
  'service',
  'namespace',
  'group',
  'balancer',
  'subsets',
  'createRevision',
  'modifyRevision',
]);

function describeSettings(policy: PolicyDocument): string {
  return Object.keys(policy)
    .filter((name) => !NOT_SETTINGS.has(name))
    .join(' ');
}

function parseCount(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError('Expected a whole number.');
  return Number(value);
}
