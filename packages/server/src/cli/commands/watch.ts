import { backoffDelayMs, type EventDocument, isPortolanError, wait } from '@portolan/client';
import { type Command, InvalidArgumentError } from 'commander';
import type { CliContext } from '../context.ts';
import { toAuthority } from '../output/instance-columns.ts';
import { type Palette, paletteFor } from '../output/palette.ts';
import { toPrintable } from '../output/printable.ts';
import { clientFor, globalOptions } from '../registry-client.ts';

interface WatchOptions {
  readonly from?: number;
  readonly type?: string;
}

const RETRY = { baseMs: 250, capMs: 5_000 };

/** `portolan watch [service]` */
export function addWatch(program: Command, context: CliContext): void {
  program
    .command('watch')
    .summary('show changes as they happen')
    .description(
      'Prints every change, one a line, until interrupted; -o json prints one JSON document a line. Goes on by itself when the registry was away.',
    )
    .argument('[service]', 'only this service')
    .option('--from <revision>', 'also what came after this revision', parseRevision)
    .option('--type <type>', 'only events of this type, as instance-status')
    .action(async (service: string | undefined, options: WatchOptions, command: Command) => {
      const stopping = new AbortController();
      const release = [
        context.onSignal('SIGINT', () => stopping.abort()),
        context.onSignal('SIGTERM', () => stopping.abort()),
      ];
      try {
        await watch(service, options, command, context, stopping.signal);
      } finally {
        for (const stop of release) stop();
      }
    });
}

async function watch(
  service: string | undefined,
  options: WatchOptions,
  command: Command,
  context: CliContext,
  signal: AbortSignal,
): Promise<void> {
  const client = clientFor(command, context);
  const { output, color } = globalOptions(command);
  const palette = paletteFor(context.stdout, context, { color });
  const note = (text: string) => void context.stderr.write(`${toPrintable(text)}\n`);
  // Asked once without patience: a wrong URL is to be said at once.
  const present = await client.events({ from: options.from ?? 0 }, { signal }).catch((error) => {
    if (isPortolanError(error) && error.code === 'REVISION_COMPACTED') return undefined;
    throw error;
  });
  let from = options.from ?? present?.revision ?? (await currentRevision(client));
  if (options.from !== undefined && !present) {
    note(`Revision ${options.from} is no longer held: showing changes from now on.`);
    from = await currentRevision(client);
  }
  if (context.stderr.isTTY) note('Watching; Ctrl-C ends.');
  for (let failures = 0; !signal.aborted; ) {
    try {
      const query = { service, type: options.type };
      for await (const event of client.streamEvents({ from, signal, query })) {
        if (failures > 0) note('The registry is back.');
        failures = 0;
        if (event.type === 'compacted') {
          note('Too far behind: some changes were missed. Going on from now.');
          from = await currentRevision(client);
          break;
        }
        const document = JSON.parse(event.data) as EventDocument;
        from = Math.max(from, document.revision);
        context.stdout.write(
          output === 'json' ? `${JSON.stringify(document)}\n` : toLine(document, palette, context),
        );
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!isPortolanError(error) || (error.status >= 400 && !error.retryable)) throw error;
      if (failures === 0) note(`${error.message} Trying again.`);
      failures += 1;
      await wait(backoffDelayMs(failures - 1, RETRY, context.random), context.clock, signal);
    }
  }
}

async function currentRevision(client: ReturnType<typeof clientFor>): Promise<number> {
  const { revision } = await client.status();
  return typeof revision === 'number' ? revision : 0;
}

function toLine(event: EventDocument, palette: Palette, context: CliContext): string {
  const atMs =
    event.atMs ?? (event.at === undefined ? context.clock.wallNow() : Date.parse(event.at));
  const time = new Date(atMs).toISOString().slice(11, 23);
  const what = describe(event);
  const style = styleOf(event, palette);
  return `${palette.quiet(time)}  ${String(event.revision).padStart(6)}  ${style(toPrintable(event.type).padEnd(21))}  ${toPrintable(what)}\n`;
}

function describe(event: EventDocument): string {
  const { instance } = event;
  if (!instance) {
    const { route, name, service } = event as {
      route?: { name?: unknown };
      name?: unknown;
      service?: unknown;
    };
    const subject = route?.name ?? name ?? service ?? '';
    if (event.type === 'active-changed') {
      const { active, previous, reason } = event;
      const was = typeof previous === 'string' ? `, was ${previous}` : '';
      return `${String(subject)}: ${String(active ?? 'nobody')} active${was} (${String(reason)})`;
    }
    return typeof subject === 'string' ? subject : JSON.stringify(subject);
  }
  const where = `${instance.service}/${instance.id} ${toAuthority(instance.address, instance.port)}`;
  if (event.type === 'instance-status') {
    return `${where} ${String(event.previous ?? '?')} → ${instance.status}, ${instance.statusReason}`;
  }
  if (event.type === 'instance-deregistered') return `${where} ${String(event.reason ?? '')}`;
  return `${where} ${instance.status}`;
}

function styleOf(event: EventDocument, palette: Palette) {
  if (event.type === 'instance-deregistered' || event.type === 'protection-entered')
    return palette.bad;
  if (event.type === 'instance-registered') return palette.good;
  if (event.type === 'instance-status') {
    return event.instance?.status === 'passing' ? palette.good : palette.warning;
  }
  return palette.head;
}

function parseRevision(value: string): number {
  if (!/^\d{1,15}$/.test(value)) throw new InvalidArgumentError('Expected a whole number.');
  return Number(value);
}
