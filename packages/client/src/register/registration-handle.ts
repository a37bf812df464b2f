import {
  type Clock,
  type Logger,
  parseDuration,
  type Random,
  type TimerHandle,
} from '@portolan/core';
import { Emitter } from '../emitter.ts';
import { isPortolanError, PortolanError } from '../http/portolan-error.ts';
import { backoffDelayMs, retryDelayMs, wait } from '../time/backoff.ts';
import type {
  HeartbeatAnswer,
  HeartbeatBody,
  InstanceDocument,
  RegisterAnswer,
  RegistrationBody,
  RoleDocument,
} from '../wire/documents.ts';
import { deregisterOnSignals } from './process-signals.ts';
import { createRoleKeeper } from './role-keeper.ts';

/**
 * `registering`: not yet known to the registry, or known no longer. `registered`: the last call succeeded.
 * `away`: registered as far as we know, but the registry does not answer. `failed`: refused, and no retry would help.
 */
export type RegistrationState = 'registering' | 'registered' | 'away' | 'failed' | 'closed';

export interface RegistrationEvents extends Record<string, unknown> {
  state: RegistrationState;
  /** After each registration that succeeded, also the ones that came after "register again". */
  registered: InstanceDocument;
  /** A call failed; it is retried unless the state is `failed`. */
  error: PortolanError;
  /**
   * What the instance is in an exclusive service changed, or its term did; undefined where the service is not exclusive any more.
   * `standby` also when its lease may have ended unheard: by then another may be active.
   */
  role: RoleDocument | undefined;
  /** Deregistered by a signal and the drain time has passed. */
  drained: NodeJS.Signals;
}

export interface RegisterOptions {
  /** On SIGTERM and SIGINT: deregister, wait `drainMs`, then let the signal do what it does. */
  readonly handleSignals?: boolean;
  /** How long gateways get to notice before the process ends. Default 5 s. */
  readonly drainMs?: number;
  /** Back-off while the registry is away. Default 200 ms, doubling up to 10 s. */
  readonly retry?: { readonly baseMs: number; readonly capMs: number };
  /** How long `close` tries to deregister. Default 3 s. */
  readonly closeTimeoutMs?: number;
}

/** What a registration needs to know of the answer to a heartbeat. */
export type BeatAnswer = Partial<Pick<HeartbeatAnswer, 'exclusive' | 'ttlMs'>>;

/** The calls that a registration makes. */
export interface InstanceCalls {
  register(body: RegistrationBody, scope?: { signal?: AbortSignal }): Promise<RegisterAnswer>;
  heartbeat(id: string, body?: HeartbeatBody, scope?: { namespace?: string }): Promise<BeatAnswer>;
  deregister(id: string, scope?: { namespace?: string; timeoutMs?: number }): Promise<unknown>;
  /**
   * Has `onReconnected` called when a shared connection was made anew, so that the registry is asked at once whether it still
   * knows the instance. The returned function ends that, and gives back what the instance holds of the connection.
   */
  follow?(id: string, scope: { namespace?: string }, onReconnected: () => void): () => void;
  /** When instances that share a connection are renewed together; undefined: each at a time of its own. */
  nextBeatMs?(heartbeatMs: number): number | undefined;
}

export interface RegistrationDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly instances: InstanceCalls;
}

/** An instance that is kept registered. */
export interface RegistrationHandle {
  readonly id: string;
  readonly state: RegistrationState;
  /** As the registry last answered; undefined before the first registration. */
  readonly instance: InstanceDocument | undefined;
  /** In an exclusive service what it is, as far as the registry has confirmed within the lease; else undefined. */
  readonly role: RoleDocument | undefined;
  /** Resolves with the first registration; rejects when it is refused for good or closed before. */
  readonly ready: Promise<InstanceDocument>;
  /**
   * Sends a heartbeat now. Metadata is kept and sent again with every re-registration; a status is repeated with every
   * later heartbeat. Resolves with whether it was delivered; what was not is sent with the next one.
   */
  heartbeat(update?: HeartbeatBody): Promise<boolean>;
  on<E extends keyof RegistrationEvents>(
    event: E,
    listener: (payload: RegistrationEvents[E]) => void,
  ): () => void;
  /** Deregisters and stops. Idempotent; never rejects: an unreachable registry lets the lease run out. */
  close(): Promise<void>;
  /** The same as `close`. */
  deregister(): Promise<void>;
}

const DEFAULT_HEARTBEAT_MS = 30_000;
const DEFAULT_RETRY = { baseMs: 200, capMs: 10_000 };

/** Keeps one instance registered: retries, heartbeats, registers again when told to. One call is under way at a time. */
export function createRegistrationHandle(
  body: RegistrationBody,
  options: RegisterOptions,
  deps: RegistrationDeps,
): RegistrationHandle {
  const { clock, random, logger, instances } = deps;
  const retry = options.retry ?? DEFAULT_RETRY;
  const id = body.id ?? `${body.service}-${body.address}-${body.port}`;
  const scope = body.namespace === undefined ? {} : { namespace: body.namespace };
  const checkTtlMs = shortestTtlMs(body);
  const emitter = new Emitter<RegistrationEvents>((error) =>
    logger.error({ err: error, id }, 'a listener of the registration failed'),
  );
  const closing = new AbortController();
  const roles = createRoleKeeper(clock, (role) => emitter.emit('role', role));

  let registration: RegistrationBody = { ...body, id };
  let state: RegistrationState = 'registering';
  let instance: InstanceDocument | undefined;
  let known = false;
  let heartbeatMs = DEFAULT_HEARTBEAT_MS;
  let failures = 0;
  let askedToWaitMs = 0;
  let report: Pick<HeartbeatBody, 'status' | 'output' | 'checkId'> =
    checkTtlMs === undefined ? {} : { status: 'passing' };
  let unsentMetadata: Record<string, string | null> | undefined;
  let timer: TimerHandle | undefined;
  let running: Promise<boolean> | undefined;
  let closed: Promise<void> | undefined;

  let resolveReady: (instance: InstanceDocument) => void;
  let rejectReady: (error: PortolanError) => void;
  const ready = new Promise<InstanceDocument>((resolve, reject) => {
    resolveReady = resolve;
    rejectReady = reject;
  });
  // Whoever does not wait for it hears of failures through events.
  ready.catch(() => undefined);

  function enter(next: RegistrationState): void {
    if (state === next) return;
    state = next;
    emitter.emit('state', next);
  }

  /** One call: registration or heartbeat. Never rejects; true when the registry has taken it. */
  async function once(): Promise<boolean> {
    try {
      if (known) await beat();
      else await register();
      failures = 0;
      askedToWaitMs = 0;
      return true;
    } catch (error) {
      return fail(toPortolanError(error));
    }
  }

  async function register(): Promise<void> {
    const sentMetadata = unsentMetadata;
    const sentAtMs = clock.now();
    const answer = await instances.register(registration);
    if (unsentMetadata === sentMetadata) unsentMetadata = undefined;
    instance = answer.instance;
    known = true;
    const leaseMs = answer.heartbeatMs ?? DEFAULT_HEARTBEAT_MS;
    heartbeatMs = Math.min(leaseMs, (checkTtlMs ?? Number.POSITIVE_INFINITY) / 3);
    if (closing.signal.aborted) return;
    enter('registered');
    roles.take(answer.instance.exclusive, answer.instance.lease?.ttlMs, sentAtMs);
    emitter.emit('registered', answer.instance);
    resolveReady(answer.instance);
    if (report.status !== undefined) await beat();
  }

  async function beat(): Promise<void> {
    const sentMetadata = unsentMetadata;
    const update = { ...report, ...(sentMetadata ? { metadata: sentMetadata } : {}) };
    const sentAtMs = clock.now();
    const body = Object.keys(update).length > 0 ? update : undefined;
    const answer = await instances.heartbeat(id, body, scope);
    if (unsentMetadata === sentMetadata) unsentMetadata = undefined;
    if (closing.signal.aborted) return;
    enter('registered');
    roles.take(answer.exclusive, answer.ttlMs ?? undefined, sentAtMs);
  }

  function fail(error: PortolanError): boolean {
    if (closing.signal.aborted) return false;
    if (error.code === 'INSTANCE_NOT_FOUND') {
      logger.info({ id }, 'the registry does not know the instance: registering again');
      known = false;
      failures = 0;
      askedToWaitMs = 0;
      roles.stepDown();
      enter('registering');
      return false;
    }
    failures += 1;
    askedToWaitMs = error.retryAfterMs ?? 0;
    const level = failures === 1 ? 'warn' : 'debug';
    logger[level]({ id, code: error.code, failures }, `registration: ${error.message}`);
    if (!known && instance === undefined && !error.retryable && isCallersFault(error)) {
      enter('failed');
      unfollow?.();
      rejectReady(error);
    } else if (known) enter('away');
    emitter.emit('error', error);
    return false;
  }

  function delayMs(delivered: boolean): number {
    if (delivered) {
      return instances.nextBeatMs?.(heartbeatMs) ?? heartbeatMs * (0.8 + 0.2 * random());
    }
    // Told to register again: soon, but a whole fleet is told at the same moment.
    if (failures === 0) return random() * retry.baseMs;
    const wantedMs = retryDelayMs(failures - 1, retry, random, askedToWaitMs);
    // Asked to wait, a lease does not wait for longer than a heartbeat.
    return Math.min(wantedMs, known ? heartbeatMs : Math.max(retry.capMs, 2 * askedToWaitMs));
  }

  function schedule(delivered: boolean): void {
    timer?.cancel();
    if (state === 'failed' || closing.signal.aborted) return;
    timer = clock.setTimer(delayMs(delivered), () => void run());
  }

  function run(): Promise<boolean> {
    timer?.cancel();
    running ??= once().then((delivered) => {
      running = undefined;
      schedule(delivered);
      return delivered;
    });
    return running;
  }

  async function deregister(): Promise<void> {
    const deadlineMs = clock.now() + (options.closeTimeoutMs ?? 3_000);
    // A registration under way must not arrive after the deregistration.
    if (running) await Promise.race([running, wait(deadlineMs - clock.now(), clock)]);
    if (!known && instance === undefined) return;
    for (let attempt = 0; clock.now() < deadlineMs; attempt++) {
      try {
        const timeoutMs = Math.max(100, deadlineMs - clock.now());
        await instances.deregister(id, { ...scope, timeoutMs });
        return;
      } catch (cause) {
        const error = toPortolanError(cause);
        if (error.code === 'INSTANCE_NOT_FOUND') return;
        if (!error.retryable) {
          logger.warn({ id, code: error.code }, `deregistration: ${error.message}`);
          return;
        }
        const pauseMs = backoffDelayMs(attempt, retry, random);
        await wait(Math.min(pauseMs, deadlineMs - clock.now()), clock);
      }
    }
    logger.warn({ id }, 'not deregistered, the registry is away: its lease will run out');
  }

  function close(): Promise<void> {
    closed ??= (async () => {
      closing.abort();
      timer?.cancel();
      // Whoever works because it is active stops before the next one may begin.
      roles.stepDown();
      releaseSignals();
      rejectReady(new PortolanError('ABORTED', 'The registration was closed.', { status: 0 }));
      await deregister();
      unfollow?.();
      enter('closed');
    })();
    return closed;
  }

  const releaseSignals = options.handleSignals
    ? deregisterOnSignals({
        deregister: close,
        drainMs: options.drainMs ?? 5_000,
        clock,
        onDrained: (signal) => emitter.emit('drained', signal),
      })
    : () => undefined;
  const unfollow = instances.follow?.(id, scope, () => {
    if (state !== 'failed' && !closing.signal.aborted && !running) void run();
  });
  void run();

  return {
    id,
    get state() {
      return state;
    },
    get instance() {
      return instance;
    },
    get role() {
      return roles.role;
    },
    ready,
    async heartbeat(update = {}) {
      const { metadata, ...rest } = update;
      if (metadata) {
        registration = { ...registration, metadata: merge(registration.metadata, metadata) };
        unsentMetadata = { ...unsentMetadata, ...metadata };
      }
      report = { ...report, ...rest };
      if (closed || state === 'failed') return false;
      // The call under way was made without this update.
      if (running) await running;
      return closed ? false : run();
    },
    on: (event, listener) => emitter.on(event, listener),
    close,
    deregister: close,
  };
}

function merge(
  present: Readonly<Record<string, string>> | undefined,
  patch: Readonly<Record<string, string | null>>,
): Record<string, string> {
  const merged: Record<string, string | null> = { ...present, ...patch };
  return Object.fromEntries(
    Object.entries(merged).filter((entry): entry is [string, string] => entry[1] !== null),
  );
}

function shortestTtlMs(body: RegistrationBody): number | undefined {
  const ttls = (body.checks ?? []).flatMap((check) => parseDuration(check.ttl) ?? []);
  return ttls.length === 0 ? undefined : Math.min(...ttls);
}

function isCallersFault(error: PortolanError): boolean {
  return error.status >= 400 && error.status < 500 && error.code !== 'ANSWER_INVALID';
}

function toPortolanError(error: unknown): PortolanError {
  if (isPortolanError(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new PortolanError('ANSWER_INVALID', message, { status: 0, retryable: true, cause: error });
}
