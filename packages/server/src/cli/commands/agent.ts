import { type CheckBody, holdProcess, type RegistrationBody } from '@portolan/client';
import { type Command, Option } from 'commander';
import { createAddressSource } from '../agent/address-source.ts';
import { readAgentFile } from '../agent/agent-file.ts';
import { startApplication } from '../agent/application.ts';
import { runAgent, SCRIPT_CHECK_ID } from '../agent/run-agent.ts';
import { runAgentFile } from '../agent/run-agent-file.ts';
import { CHECK_EXPECTED, type CheckOption, collectCheck, toCheckBody } from '../check-option.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { collect, collectPair, parseDurationOption, parsePort, parseWeight } from '../options.ts';
import { toPrintable } from '../output/printable.ts';
import { clientFor, globalOptions } from '../registry-client.ts';

interface AgentCommandOptions extends ApplicationOptions {
  readonly file?: string;
}

interface ApplicationOptions {
  readonly service: string;
  readonly port: number;
  readonly address?: string;
  readonly id?: string;
  readonly group?: string;
  readonly tag?: readonly string[];
  readonly meta?: Readonly<Record<string, string>>;
  readonly weight?: number;
  readonly exclusive?: true;
  readonly check?: readonly CheckOption[];
  readonly interval: number;
  readonly timeout: number;
  readonly lease?: 'default' | 'fast';
  readonly ttl?: number;
  readonly drain: number;
  readonly grace: number;
  readonly startTimeout: number;
}

/** `portolan agent … -- command`, or `portolan agent --file …` */
export function addAgent(program: Command, context: CliContext): void {
  program
    .command('agent')
    .summary(
      'run an application and keep it registered, or keep the instances of a file registered',
    )
    .description(
      'Runs an application (--service, --port and a command), registers it once it is ready, and deregisters and drains before it stops; exits with its code. With --file instead: keeps registered what a file lists, such as every container of a node, over one connection.',
    )
    .usage('[options] -- <command> [args...]')
    .argument('[command...]', 'the application and its arguments, after --')
    .option(
      '-f, --file <file>',
      'YAML or JSON with "instances", each as in the HTTP API; read again at SIGHUP',
    )
    .option('--service <name>', 'name of the service')
    .option('--port <port>', 'port the application listens on', parsePort)
    .option('--address <address>', 'default: the address by which the registry is reached')
    .option('--id <id>', 'instance id (default: service-address-port)')
    .option('--group <group>', 'group of the service')
    .option('--tag <tag>', 'tag, as version:v1; may be repeated', collect)
    .option('--meta <key=value>', 'metadata; may be repeated', collectPair)
    .option('--weight <n>', 'share of traffic relative to its siblings', parseWeight)
    .option('--exclusive', 'make the service exclusive: one instance active, the others standby')
    .option('--check <check>', `${CHECK_EXPECTED}; may be repeated`, collectCheck)
    .addOption(
      new Option('--interval <duration>', 'time between probes')
        .argParser(parseDurationOption)
        .default(10_000, '10s'),
    )
    .addOption(
      new Option('--timeout <duration>', 'longest time of a probe')
        .argParser(parseDurationOption)
        .default(5_000, '5s'),
    )
    .addOption(new Option('--lease <profile>', 'lease profile').choices(['default', 'fast']))
    .addOption(
      new Option('--ttl <duration>', 'lease time without a heartbeat')
        .argParser(parseDurationOption)
        .conflicts('lease'),
    )
    .addOption(
      new Option('--drain <duration>', 'between deregistration and stop')
        .argParser(parseDurationOption)
        .default(5_000, '5s'),
    )
    .addOption(
      new Option('--grace <duration>', 'between stop and SIGKILL')
        .argParser(parseDurationOption)
        .default(30_000, '30s'),
    )
    .addOption(
      new Option('--start-timeout <duration>', 'until the application has to be ready')
        .argParser(parseDurationOption)
        .default(60_000, '1m'),
    )
    .action(async (words: string[], options: AgentCommandOptions, command: Command) => {
      const log = (line: string) =>
        void context.stderr.write(`portolan agent: ${toPrintable(line)}\n`);
      if (options.file !== undefined) {
        await followFile(options.file, words, options, command, context, log);
        return;
      }
      const [file, ...args] = words;
      if (file === undefined)
        throw new CliError('Name the application after --, or a --file of instances.', {
          exit: 'usage',
        });
      requireNamed(options);
      const client = clientFor(command, context);
      refuseMixedChecks(options.check ?? []);
      const { namespace } = globalOptions(command);
      const application = startApplication([file, ...args], {
        stdinIsTerminal: context.stdin.isTTY === true,
        cwd: context.cwd,
        env: { ...context.env, PORT: context.env.PORT ?? String(options.port) },
      });
      const searching = new AbortController();
      void application.ended.then(() => searching.abort());
      const { clock, random } = context;
      const addresses = createAddressSource(
        { given: options.address, urls: client.urls, signal: searching.signal },
        { clock, random, log },
      );
      context.exitCode = await runAgent(
        {
          port: options.port,
          toRegistration: (address) => toRegistration(options, address, namespace),
          checks: options.check ?? [],
          intervalMs: options.interval,
          timeoutMs: options.timeout,
          startTimeoutMs: options.startTimeout,
          drainMs: options.drain,
          graceMs: options.grace,
        },
        { context, client, application, addresses, log },
      );
    });
}

/** Keeps registered what a file lists. */
async function followFile(
  file: string,
  words: readonly string[],
  options: AgentCommandOptions,
  command: Command,
  context: CliContext,
  log: (line: string) => void,
): Promise<void> {
  if (words.length > 0 || options.service !== undefined || options.port !== undefined) {
    throw new CliError('--file stands instead of --service, --port and a command.', {
      exit: 'usage',
    });
  }
  const reread = () => readAgentFile(file, context);
  const instances = await reread();
  const client = clientFor(command, context);
  const { clock, random } = context;
  const stopping = new AbortController();
  const addresses = createAddressSource(
    { given: options.address, urls: client.urls, signal: stopping.signal },
    { clock, random, log },
  );
  const { namespace } = globalOptions(command);
  const release = holdProcess();
  try {
    context.exitCode = await runAgentFile(
      { instances, reread, namespace, drainMs: options.drain, stopping },
      { context, client, addresses, log },
    );
  } finally {
    release();
  }
}

function requireNamed({ service, port }: Partial<ApplicationOptions>): void {
  for (const [name, value] of [
    ['--service <name>', service],
    ['--port <port>', port],
  ] as const) {
    if (value === undefined) {
      throw new CliError(`required option '${name}' not specified`, { exit: 'usage' });
    }
  }
}

/** A heartbeat reports on one of them, so the other would run out. */
function refuseMixedChecks(checks: readonly CheckOption[]): void {
  const kinds = new Set(checks.map((check) => check.kind));
  if (!kinds.has('ttl') || !kinds.has('script')) return;
  throw new CliError('--check ttl and --check script cannot be combined.', {
    exit: 'usage',
    hints: ["A script's outcome is kept for three intervals already; --ttl sets the lease."],
  });
}

function toRegistration(
  options: AgentCommandOptions,
  address: string,
  namespace: string,
): RegistrationBody {
  const { service, port, check, tag, meta } = options;
  const times = { intervalMs: options.interval, timeoutMs: options.timeout };
  const checks = (check ?? []).flatMap((item): CheckBody[] => {
    const body = toCheckBody(item, address, port, times);
    return body ? [body] : [];
  });
  // A script's outcome travels with heartbeats, as a check that the registry only keeps time for.
  if (check?.some((item) => item.kind === 'script')) {
    checks.push({ id: SCRIPT_CHECK_ID, ttl: `${Math.max(3 * options.interval, 30_000)}ms` });
  }
  return {
    service,
    address,
    port,
    namespace,
    id: options.id ?? `${service}-${address}-${port}`,
    ...(options.group === undefined ? {} : { group: options.group }),
    ...(tag ? { tags: tag } : {}),
    ...(meta ? { metadata: meta } : {}),
    ...(options.weight === undefined ? {} : { weight: options.weight }),
    ...(options.exclusive === undefined ? {} : { exclusive: true }),
    ...(options.ttl === undefined
      ? { lease: options.lease ?? 'default' }
      : { ttl: `${options.ttl}ms` }),
    ...(checks.length > 0 ? { checks } : {}),
  };
}
