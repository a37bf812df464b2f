import type {
  DestinationDocument,
  FieldMatchDocument,
  RouteBody,
  RouteDocument,
  RouteMatchDocument,
} from '@portolan/client';
import { BALANCER_NAMES, type BalancerName } from '@portolan/core';
import { Argument, type Command, InvalidArgumentError, Option } from 'commander';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { collect, collectPair, parseDurationOption } from '../options.ts';
import { type Column, printJson, printListing, printOutcome } from '../output/print.ts';
import { readDocument } from '../read-document.ts';
import { clientFor, globalOptions } from '../registry-client.ts';
import { collectDestination, parseWeights } from '../route-options.ts';
import { addRouteExplain } from './route-explain.ts';

interface SetOptions {
  readonly host?: readonly string[];
  readonly path?: string;
  readonly exact?: true;
  readonly method?: readonly string[];
  readonly header?: Readonly<Record<string, string>>;
  readonly to?: readonly DestinationDocument[];
  readonly rewrite?: string;
  readonly timeout?: number;
  readonly retries?: number;
  readonly balancer?: BalancerName;
  readonly file?: string;
  readonly create?: true;
  readonly ifRevision?: number;
}

const COLUMNS: readonly Column<RouteDocument>[] = [
  { head: 'NAME', cell: (route) => route.name },
  { head: 'HOSTS', cell: (route) => route.hosts.join(',') || '*', flexible: true },
  {
    head: 'MATCH',
    cell: (route) => route.match.map(describeMatch).join(' or ') || '*',
    flexible: true,
  },
  {
    head: 'TO',
    cell: (route) => route.to.map(describeDestination).join(' '),
    flexible: true,
  },
  {
    head: 'TIMEOUT',
    cell: (route) => (route.timeoutMs ? `${route.timeoutMs}ms` : ''),
    wide: true,
  },
  { head: 'RETRIES', cell: (route) => String(route.retries?.attempts ?? ''), wide: true },
  { head: 'REVISION', cell: (route) => String(route.modifyRevision), wide: true },
];

/** `portolan route list|get|set|weights|explain|delete` */
export function addRoute(program: Command, context: CliContext): void {
  const route = program
    .command('route')
    .summary('list, show, set, explain and delete routes, shift traffic')
    .description('Routes say which requests the gateway sends where.');

  function printRoutes(routes: readonly RouteDocument[], json: unknown, command: Command): void {
    printListing(
      {
        json,
        items: routes,
        columns: COLUMNS,
        name: (item) => item.name,
        whenEmpty: 'No routes. Without one, /SERVICE/… reaches every service by its name.',
      },
      command,
      context,
    );
  }

  route
    .command('list')
    .alias('ls')
    .description('Lists the routes of the namespace.')
    .action(async (_options: object, command: Command) => {
      const routes = await clientFor(command, context).routes.list();
      printRoutes(routes, { routes }, command);
    });
  route
    .command('get')
    .description('Shows one route.')
    .argument('<name>', 'name of the route')
    .action(async (name: string, _options: object, command: Command) => {
      const document = await clientFor(command, context).routes.get(name);
      printRoutes([document], document, command);
    });
  route
    .command('set')
    .description('Creates or replaces a route, from options or from a YAML or JSON file.')
    .argument('<name>', 'name of the route')
    .option('--host <host>', 'host, or *.suffix; may be repeated', collect)
    .option('--path <prefix>', 'path prefix')
    .option('--exact', 'the path has to be equal, not only begin so')
    .option('--method <method>', 'request method; may be repeated', collect)
    .option('--header <name=value>', 'request header; may be repeated', collectPair)
    .option(
      '--to <destination>',
      'service[:label=value,…][=weight]; may be repeated',
      collectDestination,
    )
    .option('--rewrite <prefix>', 'put this in the place of the matched path')
    .option('--timeout <duration>', 'whole exchange', parseDurationOption)
    .option('--retries <n>', 'tries after the first', parseCount)
    .addOption(new Option('--balancer <name>', 'how to choose').choices(BALANCER_NAMES))
    .option('-f, --file <file>', 'read the route from this file; - is standard input')
    .option('--create', 'fail when the route exists')
    .option('--if-revision <n>', 'fail unless the route is at this revision', parseCount)
    .action(async (name: string, options: SetOptions, command: Command) => {
      const body =
        options.file === undefined
          ? toBody(options)
          : ((await readDocument(options.file, context)) as RouteBody);
      const condition = options.create ? ('absent' as const) : options.ifRevision;
      const document = await clientFor(command, context).routes.put(
        name,
        body,
        condition === undefined ? {} : { if: condition },
      );
      report(document, 'set', command);
    });
  route
    .command('weights')
    .description('Shifts traffic between the destinations of a route.')
    .argument('<name>', 'name of the route')
    .addArgument(
      new Argument('<weight...>', 'one for each destination in order (80 20), or v1=80 v2=20'),
    )
    .action(async (name: string, values: readonly string[], _options: object, command: Command) => {
      const weights = parseWeights(values);
      report(await clientFor(command, context).routes.setWeights(name, weights), 'set', command);
    });
  addRouteExplain(route, context);
  route
    .command('delete')
    .alias('rm')
    .description('Deletes a route.')
    .argument('<name>', 'name of the route')
    .action(async (name: string, _options: object, command: Command) => {
      const answer = await clientFor(command, context).routes.delete(name);
      if (globalOptions(command).output === 'json') printJson(answer, context);
      else printOutcome({ json: answer, name, sentence: `${name}: deleted` }, command, context);
    });

  function report(document: RouteDocument, done: string, command: Command): void {
    const to = document.to.map(describeDestination).join(' ');
    const sentence = `${document.name}: ${done}, ${to}`;
    printOutcome({ json: document, name: document.name, sentence }, command, context);
  }
}

function toBody(options: SetOptions): RouteBody {
  if (!options.to) {
    throw new CliError('Say where the route leads: --to SERVICE, or -f FILE.', { exit: 'usage' });
  }
  const { path, method, header } = options;
  const match: RouteMatchDocument = {
    ...(path === undefined ? {} : { path: options.exact ? { exact: path } : { prefix: path } }),
    ...(method ? { methods: method.map((name) => name.toUpperCase()) } : {}),
    ...(header ? { headers: header } : {}),
  };
  return {
    ...(options.host ? { hosts: options.host } : {}),
    ...(Object.keys(match).length > 0 ? { match: [match] } : {}),
    to: options.to,
    ...(options.rewrite === undefined ? {} : { rewrite: { prefix: options.rewrite } }),
    ...(options.timeout === undefined ? {} : { timeout: `${options.timeout}ms` }),
    ...(options.retries === undefined ? {} : { retries: { attempts: options.retries } }),
    ...(options.balancer === undefined ? {} : { balancer: options.balancer }),
  };
}

function describeMatch(match: RouteMatchDocument): string {
  const { path, methods, headers } = match;
  const where = describePath(path);
  const conditions = Object.entries(headers ?? {}).map(
    ([name, value]) => ` ${name}${describeField(value)}`,
  );
  return `${methods ? `${methods.join('|')} ` : ''}${where}${conditions.join('')}`;
}

function describePath(path: RouteMatchDocument['path']): string {
  if (path === undefined) return '*';
  if (typeof path === 'string') return `${path}*`;
  if ('exact' in path) return path.exact;
  if ('regex' in path) return `~${path.regex}`;
  return `${'prefix' in path ? path.prefix : path.startsWith}*`;
}

function describeField(match: FieldMatchDocument): string {
  if (typeof match === 'string') return `=${match}`;
  if ('exact' in match) return `=${match.exact}`;
  if ('prefix' in match) return `=${match.prefix}*`;
  if ('regex' in match) return `~${match.regex}`;
  return match.present ? '' : ' absent';
}

function describeDestination({ service, labels, weight }: DestinationDocument): string {
  const subset = Object.entries(labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  return `${service}${subset && `:${subset}`}${weight === undefined ? '' : `=${weight}`}`;
}

function parseCount(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError('Expected a whole number.');
  return Number(value);
}
