import type {
  Clock,
  Logger,
  Random,
  Registry,
  RegistryEvent,
  Revision,
  TimerHandle,
  Webhook,
} from '@portolan/core';
import {
  namespaceOfEvent,
  serviceOfEvent,
  toEventJson,
} from '../protocols/rest/codecs/event-json.ts';
import type { WebhookFailure } from '../protocols/rest/operation.ts';
import { type PostDeps, postDelivery } from './post-delivery.ts';
import { signDelivery } from './sign-delivery.ts';

export interface WebhookDispatcherOptions {
  /** Whole attempt, from resolving the name to the end of the answer; default 10 s. */
  readonly timeoutMs?: number;
  /** Tries of one delivery; default 6. */
  readonly maxAttempts?: number;
  /** Longest wait before the second try; doubles with each; default 1 s. */
  readonly backoffMs?: number;
  /** No wait is longer; default 60 s. */
  readonly maxBackoffMs?: number;
  /** Events waiting for one webhook; more are dropped, and listed so; default 10,000. */
  readonly maxWaiting?: number;
}

export interface WebhookDispatcherDeps extends PostDeps {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface WebhookDispatcher {
  /** Recent failures of one webhook, newest first. */
  failures(id: string): readonly WebhookFailure[];
  /** Takes no more events, ends the attempt under way and resolves when nothing is left running. */
  close(): Promise<void>;
}

type StoredWebhook = Webhook & { readonly createRevision: Revision };

/** What one webhook waits for and has failed at; ends with the webhook, even if its id is given again. */
interface Lane {
  readonly createRevision: Revision;
  readonly waiting: RegistryEvent[];
  readonly failures: WebhookFailure[];
  isDraining: boolean;
  /** Events dropped since one was last taken: they are one failure, not one each. */
  dropped: number;
}

const MAX_FAILURES = 50;
const MAX_EVENTS_PER_DELIVERY = 100;

/**
 * Calls subscribers on change: at least once, in order per webhook, one delivery at a time. What waits is bounded; a
 * delivery is given up after the last try, and the next one goes on.
 */
export function createWebhookDispatcher(
  options: WebhookDispatcherOptions,
  deps: WebhookDispatcherDeps,
): WebhookDispatcher {
  const { registry, clock, random, logger } = deps;
  const { timeoutMs = 10_000, maxAttempts = 6, backoffMs = 1_000 } = options;
  const { maxBackoffMs = 60_000, maxWaiting = 10_000 } = options;
  const lanes = new Map<string, Lane>();
  const running = new Set<Promise<void>>();
  const closing = new AbortController();
  let deliveries = 0;

  const unsubscribe = registry.events.subscribe((events) => {
    const webhooks = registry.webhooks.list();
    forgetDeleted(webhooks);
    for (const webhook of webhooks) {
      const wanted = events.filter((event) => isWanted(webhook, event));
      if (wanted.length > 0) enqueue(webhook, wanted);
    }
  });

  function forgetDeleted(webhooks: readonly StoredWebhook[]): void {
    if (lanes.size === 0) return;
    const present = new Map(webhooks.map((webhook) => [webhook.id, webhook.createRevision]));
    for (const [id, lane] of lanes) {
      if (present.get(id) !== lane.createRevision) lanes.delete(id);
    }
  }

  function enqueue(webhook: StoredWebhook, events: readonly RegistryEvent[]): void {
    const lane = lanes.get(webhook.id) ?? {
      createRevision: webhook.createRevision,
      waiting: [],
      failures: [],
      isDraining: false,
      dropped: 0,
    };
    lanes.set(webhook.id, lane);
    const room = maxWaiting - lane.waiting.length;
    lane.waiting.push(...events.slice(0, room));
    if (events.length > room) drop(webhook.id, lane, events.slice(room));
    if (lane.isDraining) return;
    lane.isDraining = true;
    const run = drain(webhook.id, lane).finally(() => running.delete(run));
    running.add(run);
  }

  async function drain(id: string, lane: Lane): Promise<void> {
    // Out of the registry's own turn: its other listeners come first.
    await Promise.resolve();
    while (lane.waiting.length > 0 && !closing.signal.aborted && lanes.get(id) === lane) {
      lane.dropped = 0;
      await deliver(id, lane, lane.waiting.splice(0, MAX_EVENTS_PER_DELIVERY));
    }
    // In the same turn as the last look at `waiting`, or an event could be left lying.
    lane.isDraining = false;
  }

  async function deliver(id: string, lane: Lane, events: RegistryEvent[]): Promise<void> {
    const deliveryId = nextId(events);
    const revision = events.at(-1)?.revision ?? 0;
    const body = JSON.stringify({ id: deliveryId, revision, events: events.map(toEventJson) });
    for (let attempt = 1; ; attempt++) {
      // Read anew for each try: its address or secret may have been put right meanwhile.
      const webhook = registry.webhooks.get(id);
      if (webhook?.createRevision !== lane.createRevision || closing.signal.aborted) return;
      const headers = {
        'content-type': 'application/json',
        'user-agent': 'portolan-webhook',
        'x-portolan-delivery': deliveryId,
        'x-portolan-signature': signDelivery(
          webhook.secret,
          Math.floor(clock.wallNow() / 1_000),
          body,
        ),
      };
      const url = new URL(webhook.url);
      const fault = await postDelivery(url, headers, body, timeoutMs, deps, closing.signal);
      if (!fault || closing.signal.aborted) return;
      if (!fault.retryable || attempt >= maxAttempts) {
        note(lane, deliveryId, revision, attempt, 'failed', fault.reason);
        const { reason } = fault;
        logger.warn({ webhook: id, deliveryId, revision, attempt, reason }, 'a webhook failed');
        return;
      }
      const ceilingMs = Math.min(maxBackoffMs, backoffMs * 2 ** (attempt - 1));
      // Half fixed, half random: waits grow, and many webhooks of one receiver do not come back at once.
      await wait(ceilingMs / 2 + (random() * ceilingMs) / 2);
    }
  }

  function nextId(events: readonly RegistryEvent[]): string {
    deliveries++;
    return `${events.at(-1)?.revision ?? 0}-${clock.wallNow().toString(36)}-${deliveries.toString(36)}`;
  }

  function drop(id: string, lane: Lane, events: readonly RegistryEvent[]): void {
    const isFirst = lane.dropped === 0 || lane.failures[0]?.outcome !== 'dropped';
    lane.dropped = (isFirst ? 0 : lane.dropped) + events.length;
    const revision = events.at(-1)?.revision ?? 0;
    const reason = `${lane.dropped} events dropped: ${maxWaiting} were waiting already`;
    const known = isFirst ? undefined : lane.failures.shift();
    note(lane, known?.deliveryId ?? nextId(events), revision, 0, 'dropped', reason);
    if (isFirst) logger.warn({ webhook: id, revision, maxWaiting }, 'a webhook drops events');
  }

  function note(
    lane: Lane,
    deliveryId: string,
    revision: Revision,
    attempts: number,
    outcome: WebhookFailure['outcome'],
    reason: string,
  ): void {
    const atMs = clock.wallNow();
    lane.failures.unshift({ deliveryId, revision, atMs, attempts, outcome, reason });
    lane.failures.length = Math.min(lane.failures.length, MAX_FAILURES);
  }

  function wait(delayMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer: TimerHandle = clock.setTimer(delayMs, finish);
    closing.signal.addEventListener('abort', finish);
    function finish(): void {
      timer.cancel();
      closing.signal.removeEventListener('abort', finish);
      resolve();
    }
    return promise;
  }

  return {
    failures: (id) => lanes.get(id)?.failures ?? [],
    async close() {
      unsubscribe();
      closing.abort();
      await Promise.all(running);
    },
  };
}

function isWanted(webhook: Webhook, event: RegistryEvent): boolean {
  if (webhook.events.length > 0 && !webhook.events.includes(event.type)) return false;
  if (webhook.namespace !== undefined && namespaceOfEvent(event) !== webhook.namespace)
    return false;
  return webhook.service === undefined || serviceOfEvent(event)?.name === webhook.service;
}
