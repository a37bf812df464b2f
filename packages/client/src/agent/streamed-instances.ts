import {
  AGENT_LIMITS,
  type Clock,
  DEFAULT_NAMESPACE,
  type Logger,
  type Random,
  type TimerHandle,
} from '@portolan/core';
import { isPortolanError, type PortolanError } from '../http/portolan-error.ts';
import type { BeatAnswer, InstanceCalls } from '../register/registration-handle.ts';
import { type BackoffOptions, retryDelayMs } from '../time/backoff.ts';
import type { HeartbeatBody, RegisterAnswer, RegistrationBody } from '../wire/documents.ts';
import { type AgentLink, broken, createAgentLink } from './agent-link.ts';
import type { DialAgent } from './agent-socket.ts';
import { type AskQueue, createAskQueue } from './ask-queue.ts';

export interface StreamedInstancesOptions {
  /** Control ports, tried in order. */
  readonly urls: readonly string[];
  readonly namespace: string;
  readonly timeoutMs: number;
  /** How long plain HTTP is used where nobody speaks the agent protocol, before it is tried again. Default 1 min. */
  readonly plainForMs?: number;
  /** Back-off of the connection. Default 200 ms, doubling up to 10 s. */
  readonly retry?: BackoffOptions;
}

export interface StreamedInstancesDeps {
  /** The same calls over plain HTTP. */
  readonly plain: InstanceCalls;
  readonly dial: DialAgent;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const PLAIN_FOR_MS = 60_000;
const RETRY: BackoffOptions = { baseMs: 200, capMs: 10_000 };
/** Of the interval: the next renewal comes before this, at a moment that all instances with the interval share. */
const PERIOD_SHARE = 0.9;

interface Connection {
  readonly link: AgentLink;
  readonly queue: AskQueue;
  /** Keys of the instances that the server has bound. */
  readonly bound: Set<string>;
}

/**
 * Registrations, heartbeats and deregistrations of a process over one connection that they share, and over plain HTTP where
 * nobody speaks the agent protocol. The connection is made with the first call and ended with the last instance.
 */
export function createStreamedInstances(
  options: StreamedInstancesOptions,
  deps: StreamedInstancesDeps,
): InstanceCalls {
  const { clock, random, logger, plain, dial } = deps;
  const { urls, timeoutMs } = options;
  const retry = options.retry ?? RETRY;
  const plainForMs = options.plainForMs ?? PLAIN_FOR_MS;
  const phase = random();
  const slots = new Map<string, number>();
  const freed: number[] = [];
  /** Who wants to be told that there is a new connection, by key. */
  const followers = new Map<string, () => void>();
  let nextSlot = 0;
  let preferred = 0;
  let connection: Connection | undefined;
  let dialling: Promise<Connection | undefined> | undefined;
  let plainUntilMs = Number.NEGATIVE_INFINITY;
  let failures = 0;
  let redial: TimerHandle | undefined;
  let shortestBeatMs = Number.POSITIVE_INFINITY;
  /** Why there is no connection; it is made again when `redial` fires. */
  let lastFailure: PortolanError | undefined;

  const keyOf = (id: string, scope?: { readonly namespace?: string }): string =>
    `${scope?.namespace ?? options.namespace}/${id}`;

  /** The connection, made when there is none; undefined while plain HTTP is used. */
  function connected(): Promise<Connection | undefined> {
    if (connection?.link.open) return Promise.resolve(connection);
    if (clock.now() < plainUntilMs) return Promise.resolve(undefined);
    // Many instances try again; one connection is tried.
    if (redial && lastFailure) return Promise.reject(lastFailure);
    dialling ??= connect().finally(() => {
      dialling = undefined;
    });
    return dialling;
  }

  async function connect(): Promise<Connection | undefined> {
    let failure = broken('There is no registry to connect to');
    for (let step = 0; step < urls.length; step++) {
      const at = (preferred + step) % urls.length;
      try {
        const made = await open(urls[at] ?? '');
        preferred = at;
        if (made) return made;
        plainUntilMs = clock.now() + plainForMs * (0.8 + 0.4 * random());
        logger.info({ url: urls[at] }, 'no agent protocol there: using plain HTTP for now');
        // Whoever waits for a connection goes on without one.
        nudge();
        return undefined;
      } catch (error) {
        failure = isPortolanError(error) ? error : broken(String(error), error);
      }
    }
    failures += 1;
    redialLater(failure);
    throw failure;
  }

  async function open(url: string): Promise<Connection | undefined> {
    const socket = await dial(url, { timeoutMs });
    if (!socket) return undefined;
    let greeted = false;
    const link = createAgentLink(
      socket,
      { timeoutMs },
      { clock, onClosed: (leaving) => greeted && lost(made, leaving) },
    );
    const made: Connection = {
      link,
      queue: createAskQueue(link, clock),
      bound: new Set(),
    };
    try {
      await link.ready;
    } catch (error) {
      logger.debug({ url, err: error }, 'the agent protocol did not begin');
      return undefined;
    }
    greeted = true;
    failures = 0;
    lastFailure = undefined;
    connection = made;
    nudge();
    return made;
  }

  function lost(made: Connection, leaving: boolean): void {
    const failure = broken(`The connection to ${made.link.url} ended`);
    made.queue.abandon(failure);
    if (connection !== made) return;
    connection = undefined;
    // Another control port may stay up.
    if (leaving) preferred = (preferred + 1) % urls.length;
    redialLater(failure);
  }

  /** A new connection for those who are registered: their leases run meanwhile. */
  function redialLater(failure: PortolanError): void {
    redial?.cancel();
    redial = undefined;
    if (followers.size === 0) return;
    lastFailure = failure;
    const delayMs = retryDelayMs(failures, retry, random, failure.retryAfterMs);
    redial = clock.setTimer(Math.min(delayMs, shortestBeatMs), () => {
      redial = undefined;
      connected().catch(() => undefined);
    });
  }

  function nudge(): void {
    for (const follower of [...followers.values()]) follower();
  }

  function slotOf(key: string): number | undefined {
    const known = slots.get(key);
    if (known !== undefined) return known;
    const slot = freed.pop() ?? nextSlot++;
    // More than one connection can carry: they go by plain HTTP.
    if (slot >= AGENT_LIMITS.slots) {
      nextSlot = AGENT_LIMITS.slots;
      return undefined;
    }
    slots.set(key, slot);
    return slot;
  }

  function release(key: string): void {
    const slot = slots.get(key);
    connection?.bound.delete(key);
    if (slot !== undefined) {
      slots.delete(key);
      freed.push(slot);
    }
    if (followers.size > 0) return;
    redial?.cancel();
    redial = undefined;
    connection?.link.close();
  }

  function inTime<T>(answer: Promise<T>, limitMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = clock.setTimer(limitMs, () => reject(broken(`No answer within ${limitMs} ms`)));
      answer.then(resolve, reject).finally(() => timer.cancel());
    });
  }

  return {
    async register(body: RegistrationBody, scope) {
      const made = await connected();
      const id = body.id ?? `${body.service}-${body.address}-${body.port}`;
      const key = keyOf(id, body);
      const slot = made && slotOf(key);
      if (!made || slot === undefined) return plain.register(body, scope);
      const named = { namespace: options.namespace, ...body };
      const { ok: _ok, ...answer } = await made.queue.register(slot, named);
      made.bound.add(key);
      return answer as unknown as RegisterAnswer;
    },
    async heartbeat(id: string, body?: HeartbeatBody, scope?: { namespace?: string }) {
      const made = await connected();
      const key = keyOf(id, scope);
      const slot = made && slotOf(key);
      if (!made || slot === undefined) return plain.heartbeat(id, body, scope);
      try {
        if (!made.bound.has(key)) {
          const namespace = scope?.namespace ?? options.namespace ?? DEFAULT_NAMESPACE;
          const attached = await made.queue.attach(slot, namespace, id);
          made.bound.add(key);
          if (!body) return attached as BeatAnswer;
        }
        const asked = body ? made.queue.report(slot, body) : made.queue.renew(slot);
        return (await asked) as BeatAnswer;
      } catch (error) {
        if ((error as PortolanError).code === 'INSTANCE_NOT_FOUND') made.bound.delete(key);
        throw error;
      }
    },
    async deregister(id: string, scope?: { namespace?: string; timeoutMs?: number }) {
      const key = keyOf(id, scope);
      const slot = slots.get(key);
      const made = connection;
      const bound = slot !== undefined && made?.link.open === true && made.bound.has(key);
      const answer = bound
        ? inTime(made.queue.deregister(slot), scope?.timeoutMs ?? timeoutMs)
        : plain.deregister(id, scope);
      try {
        return await answer;
      } catch (error) {
        if ((error as PortolanError).code !== 'INSTANCE_NOT_FOUND') throw error;
        return undefined;
      }
    },
    follow(id, scope, onReconnected) {
      const key = keyOf(id, scope);
      followers.set(key, onReconnected);
      return () => {
        // Another registration of the same instance may have taken its place.
        if (followers.get(key) !== onReconnected) return;
        followers.delete(key);
        release(key);
      };
    },
    nextBeatMs(heartbeatMs) {
      shortestBeatMs = Math.min(shortestBeatMs, heartbeatMs);
      if (!connection) return undefined;
      const periodMs = heartbeatMs * PERIOD_SHARE;
      return periodMs - ((clock.now() + phase * periodMs) % periodMs);
    },
  };
}
