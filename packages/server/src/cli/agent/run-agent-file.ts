import {
  type PortolanClient,
  type RegistrationBody,
  type RegistrationHandle,
  wait,
} from '@portolan/client';
import type { CliContext } from '../context.ts';
import type { AddressSource } from './address-source.ts';
import { type FileRegistration, keyOf } from './agent-file.ts';

export interface AgentFileOptions {
  readonly instances: readonly FileRegistration[];
  /** Reads the file again; rejects with what is wrong with it. */
  readonly reread: () => Promise<readonly FileRegistration[]>;
  readonly namespace: string;
  /** From deregistration to the end: gateways move on. */
  readonly drainMs: number;
  /** Ends the search for the address. */
  readonly stopping: AbortController;
}

export interface AgentFileDeps {
  readonly context: CliContext;
  readonly client: PortolanClient;
  readonly addresses: AddressSource;
  readonly log: (line: string) => void;
}

interface Kept {
  readonly body: string;
  readonly handle: RegistrationHandle;
}

/**
 * Keeps the instances of a file registered, all over one connection, until it is told to stop; then deregisters and drains.
 * SIGHUP reads the file again. Resolves with the exit code.
 */
export async function runAgentFile(
  options: AgentFileOptions,
  deps: AgentFileDeps,
): Promise<number> {
  const { context, client, addresses, log } = deps;
  const { stopping } = options;
  const hurry = new AbortController();
  const kept = new Map<string, Kept>();
  let wanted = options.instances;
  let applying: Promise<void> = Promise.resolve();

  const release = [
    ...(['SIGTERM', 'SIGINT'] as const).map((signal) =>
      context.onSignal(signal, () => {
        if (stopping.signal.aborted) hurry.abort();
        else {
          log(`${signal}: deregistering`);
          stopping.abort();
        }
      }),
    ),
    context.onSignal('SIGHUP', () => {
      applying = applying.then(reload);
    }),
  ];

  async function reload(): Promise<void> {
    try {
      wanted = await options.reread();
    } catch (error) {
      log(`the file is not taken: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
    await apply();
  }

  /** Brings what is registered to what the file says. */
  async function apply(): Promise<void> {
    const address = addresses.address;
    if (stopping.signal.aborted) return;
    const next = new Map(wanted.map((item) => [keyOf(item), toBody(item, address)]));
    const gone = [...kept].filter(([key, { body }]) => JSON.stringify(next.get(key)) !== body);
    for (const [key] of gone) kept.delete(key);
    await Promise.all(gone.map(([, { handle }]) => handle.close()));
    if (stopping.signal.aborted) return;
    let added = 0;
    for (const [key, body] of next) {
      if (kept.has(key)) continue;
      kept.set(key, { body: JSON.stringify(body), handle: follow(client.register(body)) });
      added += 1;
    }
    log(`${kept.size} instances: ${added} registering, ${gone.length} taken back`);
  }

  function toBody(item: FileRegistration, address: string | undefined): RegistrationBody {
    return {
      namespace: options.namespace,
      ...item,
      address: item.address ?? address ?? '127.0.0.1',
    };
  }

  /** Says what concerns an instance once, not at every try. */
  function follow(handle: RegistrationHandle): RegistrationHandle {
    let told = '';
    handle.on('registered', () => {
      told = '';
      const registered = [...kept.values()].filter((each) => each.handle.state === 'registered');
      if (registered.length === kept.size) log(`all ${kept.size} instances are registered`);
    });
    handle.on('error', (error) => {
      if (error.code === told) return;
      told = error.code;
      log(`${handle.id}: ${error.message}`);
    });
    return handle;
  }

  try {
    if (wanted.some((item) => item.address === undefined)) await addresses.found;
    applying = applying.then(apply);
    await new Promise<void>((resolve) => {
      if (stopping.signal.aborted) resolve();
      else stopping.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await applying;
    await Promise.all([...kept.values()].map(({ handle }) => handle.close()));
    log(`draining for ${options.drainMs} ms`);
    await wait(options.drainMs, context.clock, hurry.signal);
    return 0;
  } finally {
    for (const unsubscribe of release) unsubscribe();
  }
}
