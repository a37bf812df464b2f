import type { Clock, Logger, Random } from '@portolan/core';
import { isPortolanError, PortolanError } from '../http/portolan-error.ts';
import type { SseEvent } from '../sse/sse-parser.ts';
import { type BackoffOptions, retryDelayMs, wait } from '../time/backoff.ts';
import type { ViewDocument } from '../wire/documents.ts';

/** The calls by which a service is followed. */
export interface ServiceCalls {
  stream(
    name: string,
    scope: {
      namespace?: string;
      signal?: AbortSignal;
      from?: number;
      query?: Readonly<Record<string, string | undefined>>;
      onOpen?: () => void;
    },
  ): AsyncIterable<SseEvent>;
  wait(
    name: string,
    query: { index: number; waitMs: number; group?: string },
    scope: { namespace?: string; signal?: AbortSignal },
  ): Promise<ViewDocument>;
}

export interface FollowOptions {
  readonly service: string;
  readonly namespace: string;
  readonly group?: string;
  readonly signal: AbortSignal;
  readonly retry: BackoffOptions;
  readonly longPollWaitMs: number;
  /** How long long polls replace a broken stream before the stream is tried again. */
  readonly longPollForMs: number;
  /** The registry answered: what is known is up to date, or about to be. */
  readonly onContact: () => void;
  /** Called in order with each whole view, still unparsed. */
  readonly onView: (document: unknown) => void;
  readonly onAway: (error: PortolanError) => void;
}

/** Streams that end before an event came, one after the other, until long polls take over. */
const BARREN_STREAMS = 3;

/**
 * Follows a service until aborted: over the event stream, over long polls where something between breaks streams.
 * Resumes after the last revision; reads anew when the registry no longer, or not yet, knows that revision.
 */
export async function followView(
  options: FollowOptions,
  deps: {
    readonly services: ServiceCalls;
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
  },
): Promise<void> {
  const { service, signal } = options;
  const scope = { namespace: options.namespace, signal };
  const group = options.group === undefined ? {} : { group: options.group };
  let revision: number | undefined;
  let failures = 0;
  let barren = 0;

  function take(document: unknown): void {
    options.onView(document);
    const { revision: seen } = document as { revision?: unknown };
    if (typeof seen === 'number') revision = seen;
    failures = 0;
  }

  async function followStream(): Promise<void> {
    let events = 0;
    try {
      const from = revision === undefined ? {} : { from: revision };
      const stream = deps.services.stream(service, {
        ...scope,
        ...from,
        query: group,
        onOpen: options.onContact,
      });
      for await (const event of stream) {
        events += 1;
        barren = 0;
        if (event.type === 'view') take(parseData(event));
        else if (event.type === 'compacted') {
          revision = undefined;
          return;
        }
      }
    } finally {
      if (events === 0) barren += 1;
    }
    throw new PortolanError('REGISTRY_UNREACHABLE', 'The registry ended the stream.', {
      status: 0,
      retryable: true,
    });
  }

  async function followLongPolls(): Promise<void> {
    const untilMs = deps.clock.now() + options.longPollForMs;
    while (!signal.aborted && deps.clock.now() < untilMs) {
      const query = { index: revision ?? 0, waitMs: options.longPollWaitMs, ...group };
      const view = await deps.services.wait(service, query, scope);
      options.onContact();
      // The end of the wait brings the present view again.
      if (view.revision !== revision) take(view);
    }
  }

  while (!signal.aborted) {
    try {
      if (barren < BARREN_STREAMS) await followStream();
      else {
        deps.logger.info({ service }, 'event streams do not come through: using long polls');
        await followLongPolls();
        barren = BARREN_STREAMS - 1;
      }
    } catch (cause) {
      if (signal.aborted) return;
      const error = toPortolanError(cause);
      if (error.status === 404 || error.status === 410 || error.code === 'REVISION_IN_FUTURE') {
        revision = undefined;
      }
      // An unreachable registry says nothing about what lies between.
      if (error.status === 0 && error.message.startsWith('No registry')) barren = 0;
      failures += 1;
      options.onAway(error);
      await wait(
        retryDelayMs(failures - 1, options.retry, deps.random, error.retryAfterMs),
        deps.clock,
        signal,
      );
    }
  }
}

/** The JSON of an event. */
export function parseData(event: SseEvent): unknown {
  try {
    return JSON.parse(event.data);
  } catch (cause) {
    throw new PortolanError('ANSWER_INVALID', `A "${event.type}" event holds malformed JSON.`, {
      status: 200,
      retryable: true,
      cause,
    });
  }
}

export function toPortolanError(error: unknown): PortolanError {
  if (isPortolanError(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new PortolanError('ANSWER_INVALID', message, { status: 0, retryable: true, cause: error });
}
