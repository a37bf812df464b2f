import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import {
  DEFAULT_NAMESPACE,
  type Instance,
  matchesLabels,
  type Registry,
  RegistryError,
  type ServiceView,
} from '@portolan/core';
import { unknownInstance } from '../rest/operation.ts';
import { inServiceOrder } from '../rest/service-order.ts';
import type { WatcherBudget } from '../watching/watcher-budget.ts';
import { type Calls, type Send, untilAborted } from './grpc-calls.ts';
import {
  inParts,
  toDetailMessage,
  toInstanceMessage,
  toSummaryMessage,
} from './instance-message.ts';
import { followViews, type Scope } from './view-follower.ts';
import type { WatchMessages } from './watch-messages.ts';
import type { ListInstancesRequest, ListServicesRequest, WatchRequest, WireRef } from './wire.ts';
import { toRef, toServiceKey } from './write-methods.ts';

const SERVICES_A_MESSAGE = 500;

export interface ReadDeps {
  readonly registry: Registry;
  readonly calls: Calls;
  readonly watchers: WatcherBudget;
  readonly watchMessages: WatchMessages;
}

/** Get, list and watch. */
export function readMethods(deps: ReadDeps): UntypedServiceImplementation {
  const { registry, calls } = deps;
  return {
    GetInstance: calls.unary<WireRef>('GetInstance', 'read', (request) => {
      const ref = toRef(request);
      const instance = registry.instance(ref);
      if (!instance) throw unknownInstance(ref);
      return toDetailMessage(instance, registry);
    }),
    ListInstances: calls.serverStream<ListInstancesRequest>(
      'ListInstances',
      'read',
      (request, send, signal) => listInstances(registry, request, send, signal),
    ),
    ListServices: calls.serverStream<ListServicesRequest>(
      'ListServices',
      'read',
      (request, send, signal) => listServices(registry, request, send, signal),
    ),
    Watch: calls.serverStream<WatchRequest>('Watch', 'read', (request, send, signal) =>
      watch(deps, request, send, signal),
    ),
  };
}

async function listInstances(
  registry: Registry,
  request: ListInstancesRequest,
  send: Send,
  signal: AbortSignal,
): Promise<void> {
  const { revision } = registry;
  const { group, service, routableOnly, tags, labels } = request;
  const wanted = (instance: Instance): boolean =>
    (!routableOnly || instance.routable) &&
    tags.every((tag) => instance.tags.includes(tag)) &&
    matchesLabels(instance.labels, labels);
  // Views are immutable: taken in one turn they are the catalogue at one revision, however slowly they are sent.
  const views = inServiceOrder(registry.services(toScope(request.namespace)))
    .filter(
      ({ service: key }) =>
        (group === '' || key.group === group) && (service === '' || key.name === service),
    )
    .flatMap(({ service: key }) => registry.view(key) ?? []);
  for (const part of inParts(instancesOf(views, wanted))) {
    if (signal.aborted) return;
    await send({ instances: part.map(toInstanceMessage), revision });
  }
}

/** One after the other: those of a million are never all made at a time. */
function* instancesOf(
  views: readonly ServiceView[],
  wanted: (instance: Instance) => boolean,
): Generator<Instance> {
  for (const view of views) {
    for (const instance of view.instances) if (wanted(instance)) yield instance;
  }
}

async function listServices(
  registry: Registry,
  request: ListServicesRequest,
  send: Send,
  signal: AbortSignal,
): Promise<void> {
  const { revision } = registry;
  const services = inServiceOrder(registry.services(toScope(request.namespace)));
  let at = 0;
  do {
    const part = services.slice(at, at + SERVICES_A_MESSAGE);
    await send({ services: part.map(toSummaryMessage), revision });
    at += SERVICES_A_MESSAGE;
  } while (at < services.length && !signal.aborted);
}

async function watch(
  { registry, watchers, watchMessages }: ReadDeps,
  request: WatchRequest,
  send: Send,
  signal: AbortSignal,
): Promise<void> {
  const { fromRevision } = request;
  if (!Number.isSafeInteger(fromRevision)) {
    throw new RegistryError('VALIDATION_FAILED', {
      detail: 'from_revision: expected a revision, found a number beyond all of them.',
      problems: [{ path: '$.fromRevision', expected: 'a revision', found: `${fromRevision}` }],
    });
  }
  const scope = toWatchScope(request);
  const leave = watchers.enter();
  let wake = (): void => undefined;
  const follower = followViews(registry, scope, fromRevision, () => wake());
  try {
    while (!signal.aborted) {
      const before = follower.resumableAt();
      const step = follower.take();
      if (step) {
        for (const message of watchMessages.of(step, before, follower.resumableAt())) {
          if (!signal.aborted) await send(message);
        }
        continue;
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      await untilAborted(promise, signal);
    }
  } finally {
    follower.close();
    leave();
  }
}

function toWatchScope(request: WatchRequest): Scope {
  const { namespace, service } = request;
  if (service !== '') return { service: toServiceKey(request) };
  if (namespace === '' || namespace === '*') return { namespace: undefined };
  // Nothing else could ever be in it: say so rather than wait.
  return { namespace: toServiceKey({ ...request, service: 'any' }).namespace };
}

/** Undefined for all. */
function toScope(namespace: string): string | undefined {
  return namespace === '*' ? undefined : namespace || DEFAULT_NAMESPACE;
}
