import {
  type PortolanClient,
  type RegistrationBody,
  type RegistrationHandle,
  wait,
} from '@portolan/client';
import type { Clock } from '@portolan/core';
import type { CheckOption } from '../check-option.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { toAuthority } from '../output/instance-columns.ts';
import type { AddressSource } from './address-source.ts';
import type { Application, ApplicationEnd } from './application.ts';
import { untilReady } from './readiness.ts';
import { runScript } from './script-check.ts';

export interface AgentOptions {
  readonly port: number;
  readonly toRegistration: (address: string) => RegistrationBody;
  readonly checks: readonly CheckOption[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly startTimeoutMs: number;
  /** From deregistration to the application's signal: gateways move on. */
  readonly drainMs: number;
  /** From the application's signal to SIGKILL. */
  readonly graceMs: number;
}

export interface AgentDeps {
  readonly context: CliContext;
  readonly client: PortolanClient;
  readonly application: Application;
  readonly addresses: AddressSource;
  readonly log: (line: string) => void;
}

/** Where an application on this machine most likely answers while no registry has shown our address. */
const UNKNOWN_ADDRESS = '127.0.0.1';
const STOP_SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGQUIT'];
/** The check that carries the scripts' outcome to the registry. */
export const SCRIPT_CHECK_ID = 'script';
/** Handed to the application as they come. */
const PASSED_SIGNALS: readonly NodeJS.Signals[] = ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'];

/**
 * One application's life: wait until it is ready, keep it registered, deregister and drain before it stops. Resolves
 * with the exit code for the agent, which is the application's.
 */
export async function runAgent(options: AgentOptions, deps: AgentDeps): Promise<number> {
  const { context, application, addresses, log } = deps;
  const { clock } = context;
  const stopping = new AbortController();
  const hurry = new AbortController();
  let stopSignal: NodeJS.Signals | undefined;

  const release = [
    ...STOP_SIGNALS.map((signal) =>
      context.onSignal(signal, () => {
        if (stopSignal) {
          // The second one means: now.
          hurry.abort();
          application.kill(signal);
          return;
        }
        stopSignal = signal;
        stopping.abort();
      }),
    ),
    ...PASSED_SIGNALS.map((signal) =>
      context.onSignal(signal, () => void application.kill(signal)),
    ),
  ];
  const over = new AbortController();
  void application.ended.then(() => over.abort());
  /** The application ended, or it is to end. */
  const left = AbortSignal.any([stopping.signal, over.signal]);
  try {
    const ready = await untilReady(
      {
        check: options.checks[0],
        address: () => addresses.address ?? UNKNOWN_ADDRESS,
        port: options.port,
        startTimeoutMs: options.startTimeoutMs,
        timeoutMs: options.timeoutMs,
        signal: left,
      },
      clock,
    );
    if (!ready) return await endUnready();
    const address = await Promise.race([addresses.found, aborted(left)]);
    const handle = address === undefined ? undefined : register(address, options, deps);
    const scripts = handle ? runScripts(options, handle, clock, left) : undefined;
    await aborted(left);
    const why = stopSignal ?? 'the application ended';
    log(handle ? `${why}: deregistering` : `${why}; it was never registered`);
    await Promise.all([handle?.close(), scripts]);
    if (handle && application.running && !hurry.signal.aborted) {
      log(`draining for ${options.drainMs} ms`);
      const cut = AbortSignal.any([hurry.signal, over.signal]);
      await wait(options.drainMs, clock, cut);
    }
    const end = await stop(stopSignal ?? 'SIGTERM');
    log(`${end.reason}`);
    return end.exitCode;
  } finally {
    for (const unsubscribe of release) unsubscribe();
  }

  async function endUnready(): Promise<number> {
    if (!application.running) {
      const end = await application.ended;
      log(`the application ended before it was ready: ${end.reason}; it was never registered`);
      return end.exitCode === 0 ? 1 : end.exitCode;
    }
    if (stopSignal) return (await stop(stopSignal)).exitCode;
    await stop('SIGTERM');
    throw new CliError(
      `The application was not ready within ${options.startTimeoutMs} ms and was stopped.`,
      {
        hints: [
          `It has to answer at ${toAuthority(addresses.address ?? UNKNOWN_ADDRESS, options.port)}; --start-timeout gives it longer.`,
        ],
      },
    );
  }

  async function stop(signal: NodeJS.Signals): Promise<ApplicationEnd> {
    if (application.running) application.kill(signal);
    await Promise.race([application.ended, wait(options.graceMs, clock)]);
    if (application.running) {
      log(`still running ${options.graceMs} ms after ${signal}: SIGKILL`);
      application.kill('SIGKILL');
    }
    return application.ended;
  }
}

function register(
  address: string,
  options: AgentOptions,
  { client, log }: AgentDeps,
): RegistrationHandle {
  const handle = client.register(options.toRegistration(address));
  handle.on('registered', (instance) =>
    log(
      `registered ${instance.id} at ${toAuthority(instance.address, instance.port)}, ${instance.status}`,
    ),
  );
  handle.on('role', (role) => {
    if (role) log(`${role.role} in an exclusive service, term ${role.term}`);
  });
  let told = '';
  handle.on('state', (state) => {
    if (state === 'registered') told = '';
    if (state === 'away') log('the registry is away; the application runs on');
    if (state === 'failed') log('it is not registered; the application runs on without');
  });
  handle.on('error', (error) => {
    // Said once, not at every try.
    if (error.code !== told) log(`registration: ${error.message}`);
    told = error.code;
    for (const { path, expected, found } of error.problems) {
      log(`  ${path}: expected ${expected}${found === undefined ? '' : `, found ${found}`}`);
    }
  });
  return handle;
}

/** Runs script checks here and reports the worst outcome with a heartbeat whenever it changes. */
async function runScripts(
  options: AgentOptions,
  handle: RegistrationHandle,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const scripts = options.checks.filter((check) => check.kind === 'script');
  if (scripts.length === 0) return;
  const order = ['passing', 'warning', 'critical'] as const;
  let reported = '';
  while (!signal.aborted) {
    const limit = new AbortController();
    const timer = clock.setTimer(options.timeoutMs, () => limit.abort());
    const cut = AbortSignal.any([signal, limit.signal]);
    const outcomes = await Promise.all(scripts.map((script) => runScript(script.target, cut)));
    timer.cancel();
    if (signal.aborted) return;
    const worst = outcomes.reduce((a, b) =>
      order.indexOf(b.status) > order.indexOf(a.status) ? b : a,
    );
    if (worst.status !== reported) {
      const delivered = await handle.heartbeat({ ...worst, checkId: SCRIPT_CHECK_ID });
      reported = delivered ? worst.status : '';
    }
    await wait(options.intervalMs, clock, signal);
  }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}
