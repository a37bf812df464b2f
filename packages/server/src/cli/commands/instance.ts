import type { InstanceDocument, RoleDocument } from '@portolan/client';
import { formatDuration } from '@portolan/core';
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { parseWeight } from '../options.ts';
import { toAuthority, toTraffic } from '../output/instance-columns.ts';
import { paletteFor, statusStyle } from '../output/palette.ts';
import { printJson, printOutcome } from '../output/print.ts';
import { toPrintable } from '../output/printable.ts';
import { clientFor, globalOptions } from '../registry-client.ts';

/** `portolan instance get|enable|disable|maintenance|weight|reset` */
export function addInstance(program: Command, context: CliContext): void {
  const instance = program
    .command('instance')
    .summary('show one instance, take it out of traffic or bring it back')
    .description(
      'What an operator wants of an instance. It is stored apart from the registration: a reconnect does not undo it.',
    );

  function report(document: InstanceDocument, done: string, command: Command): void {
    const sentence = `${document.id}: ${done}; ${document.routable ? 'takes traffic' : 'takes no traffic'}`;
    printOutcome({ json: document, name: document.id, sentence }, command, context);
  }

  instance
    .command('get')
    .alias('describe')
    .description('Shows everything known of one instance.')
    .argument('<id>', 'instance id')
    .action(async (id: string, _options: object, command: Command) => {
      const document = await clientFor(command, context).instances.get(id);
      if (globalOptions(command).output === 'json') printJson(document, context);
      else context.stdout.write(describe(document, command, context));
    });
  instance
    .command('enable')
    .description('Lets the instance take traffic again.')
    .argument('<id>', 'instance id')
    .action(async (id: string, _options: object, command: Command) => {
      report(await clientFor(command, context).instances.enable(id), 'enabled', command);
    });
  instance
    .command('disable')
    .alias('drain')
    .description('Takes the instance out of traffic; requests under way finish.')
    .argument('<id>', 'instance id')
    .action(async (id: string, _options: object, command: Command) => {
      report(await clientFor(command, context).instances.disable(id), 'disabled', command);
    });
  instance
    .command('maintenance')
    .description('Takes the instance out of traffic and says why.')
    .argument('<id>', 'instance id')
    .option('--reason <text>', 'shown to whoever asks', 'maintenance')
    .option('--off', 'end the maintenance')
    .action(async (id: string, options: { reason: string; off?: true }, command: Command) => {
      const body = options.off ? { enable: false } : { enable: true, reason: options.reason };
      const document = await clientFor(command, context).instances.maintenance(id, body);
      report(document, options.off ? 'maintenance ended' : 'in maintenance', command);
    });
  instance
    .command('weight')
    .description("Sets the instance's share of traffic, over the one it registered with.")
    .argument('<id>', 'instance id')
    .argument('<weight>', 'share relative to its siblings; 0 takes no traffic', parseWeight)
    .action(async (id: string, weight: number, _options: object, command: Command) => {
      const document = await clientFor(command, context).instances.setIntent(id, { weight });
      report(document, `weight ${document.effectiveWeight}`, command);
    });
  instance
    .command('reset')
    .description('Forgets what operators wanted of the instance: enabled, with its own weight.')
    .argument('<id>', 'instance id')
    .action(async (id: string, _options: object, command: Command) => {
      report(await clientFor(command, context).instances.resetIntent(id), 'reset', command);
    });
}

function describe(instance: InstanceDocument, command: Command, context: CliContext): string {
  const palette = paletteFor(context.stdout, context, globalOptions(command));
  const { intent, lease } = instance;
  const intentWords = [
    intent.enabled ? 'enabled' : 'disabled',
    ...(intent.maintenance ? [`maintenance (${intent.maintenance.reason})`] : []),
    ...(intent.weight === null ? [] : [`weight ${intent.weight}`]),
  ].join(', ');
  const rows: readonly (readonly [string, string])[] = [
    ['Id', instance.id],
    ['Service', `${instance.service} (namespace ${instance.namespace}, group ${instance.group})`],
    ['Address', toAuthority(instance.address, instance.port)],
    ['Status', `${instance.status}, ${instance.statusReason}`],
    ['Traffic', toTraffic(instance)],
    ...(instance.exclusive
      ? [['Exclusive', describeRole(instance.exclusive)] as readonly [string, string]]
      : []),
    ['Intent', intentWords],
    ['Weight', String(instance.effectiveWeight)],
    ['Lease', lease ? describeLease(lease) : 'none'],
    ['Labels', pairs(instance.labels)],
    ...(instance.owner === undefined ? [] : [['Kept by', `provider ${instance.owner}`] as const]),
    ['Registered', instance.registeredAt],
    ['Revision', String(instance.modifyRevision)],
    ...instance.checks.map((check): readonly [string, string] => [
      `Check ${check.id}`,
      `${check.status ?? 'unknown'}, ${check.kind} ${check.target ?? ''} every ${formatDuration(check.intervalMs)}${check.output ? `: ${check.output}` : ''}`,
    ]),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows
    .map(([name, value]) => {
      const style = name === 'Status' ? statusStyle(palette, instance.status) : (t: string) => t;
      return `${palette.head(`${toPrintable(name)}:`.padEnd(width + 3))}${style(toPrintable(value) || '-')}\n`;
    })
    .join('');
}

function describeRole({ role, term, active }: RoleDocument): string {
  const who =
    role === 'active' ? '' : active === null ? ', nobody is active' : `, ${active} is active`;
  return `${role}, term ${term}${who}`;
}

function describeLease(lease: NonNullable<InstanceDocument['lease']>): string {
  const left = lease.remainingMs === undefined ? '' : `, ${formatDuration(lease.remainingMs)} left`;
  return `${lease.profile}: heartbeat every ${formatDuration(lease.heartbeatMs)}, expires after ${formatDuration(lease.ttlMs)}${left}`;
}

function pairs(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(', ');
}
