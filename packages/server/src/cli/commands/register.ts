import type { RegistrationBody } from '@portolan/client';
import { type Command, Option } from 'commander';
import { CHECK_EXPECTED, type CheckOption, collectCheck, toCheckBody } from '../check-option.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { collect, collectPair, parseDurationOption, parsePort, parseWeight } from '../options.ts';
import { toAuthority } from '../output/instance-columns.ts';
import { printOutcome } from '../output/print.ts';
import { clientFor, globalOptions } from '../registry-client.ts';

interface RegisterOptions {
  readonly service: string;
  readonly address: string;
  readonly port: number;
  readonly id?: string;
  readonly group?: string;
  readonly tag?: readonly string[];
  readonly meta?: Readonly<Record<string, string>>;
  readonly weight?: number;
  readonly exclusive?: true;
  readonly lease?: string;
  readonly ttl?: number;
  readonly check?: readonly CheckOption[];
  readonly interval?: number;
  readonly timeout?: number;
}

/** `portolan register` */
export function addRegister(program: Command, context: CliContext): void {
  program
    .command('register')
    .summary('register an instance')
    .description(
      'Registers an instance once and leaves: without a heartbeat a lease runs out, so the default is no lease. `portolan agent` keeps an instance registered.',
    )
    .requiredOption('--service <name>', 'name of the service')
    .requiredOption('--port <port>', 'port it listens on', parsePort)
    .option('--address <address>', 'IP address or host name', '127.0.0.1')
    .option('--id <id>', 'instance id (default: service-address-port)')
    .option('--group <group>', 'group of the service')
    .option('--tag <tag>', 'tag, as version:v1; may be repeated', collect)
    .option('--meta <key=value>', 'metadata; may be repeated', collectPair)
    .option('--weight <n>', 'share of traffic relative to its siblings', parseWeight)
    .addOption(
      new Option('--lease <profile>', 'lease profile').choices(['default', 'fast', 'none']),
    )
    .addOption(
      new Option('--ttl <duration>', 'lease time without a heartbeat')
        .argParser(parseDurationOption)
        .conflicts('lease'),
    )
    .option('--exclusive', 'make the service exclusive: one instance active, the others standby')
    .option('--check <check>', `${CHECK_EXPECTED}; may be repeated`, collectCheck)
    .option('--interval <duration>', 'time between probes', parseDurationOption)
    .option('--timeout <duration>', 'longest time of a probe', parseDurationOption)
    .action(async (options: RegisterOptions, command: Command) => {
      const body = toRegistrationBody(options, globalOptions(command).namespace);
      const answer = await clientFor(command, context).instances.register(body);
      const { instance } = answer;
      const verb = answer.created ? 'registered' : answer.changed ? 'updated' : 'unchanged';
      const where = `${instance.service} at ${toAuthority(instance.address, instance.port)}`;
      const role = instance.exclusive ? `, ${instance.exclusive.role}` : '';
      const sentence = `${instance.id}: ${verb}, ${where}, ${instance.status}${role}`;
      printOutcome({ json: answer, name: instance.id, sentence }, command, context);
    });
}

function toRegistrationBody(options: RegisterOptions, namespace: string): RegistrationBody {
  const { service, address, port, tag, meta, ttl } = options;
  const times = {
    ...(options.interval === undefined ? {} : { intervalMs: options.interval }),
    ...(options.timeout === undefined ? {} : { timeoutMs: options.timeout }),
  };
  const checks = (options.check ?? []).map((check) => {
    const body = toCheckBody(check, address, port, times);
    if (body) return body;
    throw new CliError('A registry runs no scripts for strangers: script checks need an agent.', {
      exit: 'usage',
      hints: ['Use `portolan agent --check script:… -- command`.'],
    });
  });
  return {
    service,
    address,
    port,
    namespace,
    ...(options.id === undefined ? {} : { id: options.id }),
    ...(options.group === undefined ? {} : { group: options.group }),
    ...(tag ? { tags: tag } : {}),
    ...(meta ? { metadata: meta } : {}),
    ...(options.weight === undefined ? {} : { weight: options.weight }),
    ...(options.exclusive === undefined ? {} : { exclusive: true }),
    ...(ttl === undefined
      ? { lease: (options.lease ?? 'none') as 'default' | 'fast' | 'none' }
      : { ttl: `${ttl}ms` }),
    ...(checks.length > 0 ? { checks } : {}),
  };
}
