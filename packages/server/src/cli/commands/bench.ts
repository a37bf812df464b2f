import { type Command, InvalidArgumentError } from 'commander';
import { type LoadPhase, registryLoad } from '../bench/registry-load.ts';
import { type LoadResult, runLoad } from '../bench/run-load.ts';
import type { CliContext } from '../context.ts';
import { parseDurationOption } from '../options.ts';
import { type Column, printListing } from '../output/print.ts';
import { clientFor, globalOptions } from '../registry-client.ts';

interface BenchOptions {
  readonly instances: number;
  readonly services: number;
  readonly connections: number;
  readonly interval: number;
  readonly duration: number;
  readonly keep?: true;
}

/** A phase that was run. */
interface Measured {
  readonly phase: string;
  readonly requests: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  readonly errors: number;
  /** What went wrong, and how often. */
  readonly causes: Readonly<Record<string, number>>;
}

const COLUMNS: readonly Column<Measured>[] = [
  { head: 'PHASE', cell: ({ phase }) => phase },
  { head: 'REQUESTS', cell: ({ requests }) => String(requests) },
  { head: 'SECONDS', cell: ({ seconds }) => seconds.toFixed(1) },
  { head: 'PER SECOND', cell: ({ perSecond }) => perSecond.toFixed(0) },
  { head: 'P50', cell: ({ p50Ms }) => ms(p50Ms) },
  { head: 'P90', cell: ({ p90Ms }) => ms(p90Ms) },
  { head: 'P99', cell: ({ p99Ms }) => ms(p99Ms) },
  { head: 'P99.9', cell: ({ p999Ms }) => ms(p999Ms) },
  { head: 'MAX', cell: ({ maxMs }) => ms(maxMs) },
  { head: 'ERRORS', cell: ({ errors }) => String(errors) },
];

/** `portolan bench registry` */
export function addBench(program: Command, context: CliContext): void {
  const bench = program.command('bench').description('put a load on a running registry');
  bench
    .command('registry')
    .summary('register many instances, keep them alive, and measure')
    .description(
      'Registers instances over HTTP as fast as the registry answers, has each of them heard of every interval for the duration, evenly spread, deregisters them, and prints throughput and latency of each phase. Not for a registry that others depend on. Use a namespace of its own: --namespace bench. Ctrl-C goes on to the deregistration, a second one ends it.',
    )
    .option('--instances <count>', 'how many', parseCount, 10_000)
    .option('--services <count>', 'over how many services they are spread', parseCount, 100)
    .option('--connections <count>', 'connections to the registry', parseCount, 64)
    .option(
      '--interval <time>',
      'between two heartbeats of an instance',
      parseDurationOption,
      30_000,
    )
    .option('--duration <time>', 'of the heartbeats', parseDurationOption, 60_000)
    .option('--keep', 'leave the instances registered')
    .action((options: BenchOptions, command: Command) => runBench(options, command, context));
}

async function runBench(
  options: BenchOptions,
  command: Command,
  context: CliContext,
): Promise<void> {
  const client = clientFor(command, context);
  // Whether anybody is there, said as every other command says it.
  await client.status();
  const { namespace } = globalOptions(command);
  const phases = registryLoad({
    url: new URL(client.urls[0] ?? ''),
    namespace,
    instances: options.instances,
    services: options.services,
    connections: options.connections,
    intervalMs: options.interval,
    durationMs: options.duration,
  });
  let abort = new AbortController();
  let interrupted = false;
  const leave = (['SIGINT', 'SIGTERM'] as const).map((name) =>
    context.onSignal(name, () => {
      if (interrupted) context.exitNow(130);
      interrupted = true;
      abort.abort();
    }),
  );
  const measured: Measured[] = [];
  const measure = async (phase: LoadPhase): Promise<Measured> => {
    abort = new AbortController();
    const plan = { ...phase.plan, signal: abort.signal };
    const result = await runLoad(plan, context, (soFar) => showProgress(phase, soFar, context));
    clearProgress(context);
    const told = toMeasured(phase, result);
    measured.push(told);
    return told;
  };
  try {
    const { requests, errors } = await measure(phases.register);
    // Where nothing was registered there is nothing to keep alive.
    const registered = errors < requests;
    if (registered && !interrupted) await measure(phases.heartbeat);
    if (registered && !options.keep) await measure(phases.deregister);
  } finally {
    for (const off of leave) off();
  }
  printListing(
    {
      json: { registry: client.urls[0], namespace, instances: options.instances, phases: measured },
      items: measured,
      columns: COLUMNS,
      name: ({ phase, perSecond }) => `${phase}/${perSecond.toFixed(0)}`,
      whenEmpty: 'nothing was measured',
    },
    command,
    context,
  );
  for (const { phase, causes } of measured) {
    for (const [cause, count] of Object.entries(causes)) {
      context.stderr.write(`portolan: ${phase}: ${count} × ${cause}\n`);
    }
  }
  if (interrupted) context.exitCode = 130;
  else if (measured.some(({ errors }) => errors > 0)) context.exitCode = 1;
}

function toMeasured({ name }: LoadPhase, result: LoadResult): Measured {
  const { latency, requests, seconds, errors } = result;
  const rounded = (value: number): number => Math.round(value * 1_000) / 1_000;
  const of = (share: number): number =>
    rounded(latency.count === 0 ? 0 : latency.percentileMs(share));
  return {
    phase: name,
    requests,
    seconds: rounded(seconds),
    perSecond: rounded(seconds > 0 ? requests / seconds : 0),
    p50Ms: of(0.5),
    p90Ms: of(0.9),
    p99Ms: of(0.99),
    p999Ms: of(0.999),
    maxMs: rounded(latency.maxMs),
    errors: [...errors.values()].reduce((sum, count) => sum + count, 0),
    causes: Object.fromEntries(errors),
  };
}

/** On a terminal only: a line that is written over. */
function showProgress(phase: LoadPhase, result: LoadResult, context: CliContext): void {
  if (context.stderr.isTTY !== true) return;
  const { requests, seconds, latency, errors } = result;
  const failed = [...errors.values()].reduce((sum, count) => sum + count, 0);
  const parts = [
    `${phase.name} ${requests} of ${phase.total}`,
    `${Math.round(requests / Math.max(0.001, seconds))}/s`,
    `p99 ${ms(latency.percentileMs(0.99))}`,
    ...(failed === 0 ? [] : [`${failed} errors`]),
  ];
  context.stderr.write(`\r${parts.join(', ')}\u001b[K`);
}

function clearProgress(context: CliContext): void {
  if (context.stderr.isTTY === true) context.stderr.write('\r\u001b[K');
}

function ms(value: number): string {
  if (Number.isNaN(value)) return '-';
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)}ms`;
}

function parseCount(value: string): number {
  const count = /^\d{1,7}$/.test(value) ? Number(value) : 0;
  if (count < 1) throw new InvalidArgumentError('Expected a whole number from 1 to 9999999.');
  return count;
}
