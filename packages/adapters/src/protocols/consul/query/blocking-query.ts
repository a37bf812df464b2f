import type { ControlReply, ControlRequest, Revision, ServiceKey } from '@portolan/core';
import { waitForChange } from '../../watching/wait-for-change.ts';
import type { ConsulContext } from '../consul-context.ts';
import type { ReadOptions } from './request-options.ts';

/** Something that can be read again and again, with the revision of its last change. */
export interface Watched {
  revision(): Revision;
  subscribe(wake: () => void): () => void;
}

/** Consul adds up to this share of the wait, so that its clients do not come back all at once. */
const JITTER_SHARE = 1 / 16;

/** One service: a change elsewhere neither wakes nor moves the index. */
export function watchService(context: ConsulContext, service: ServiceKey): Watched {
  const { registry, indexes } = context;
  return {
    revision: () => registry.view(service)?.revision ?? indexes.absent,
    subscribe: (wake) => registry.subscribeService(service, wake),
  };
}

export function watchCatalogue(
  context: ConsulContext,
  what: 'instances' | 'services',
  namespace: string,
): Watched {
  const { indexes } = context;
  return {
    revision: () =>
      what === 'instances' ? indexes.instances(namespace) : indexes.services(namespace).revision,
    subscribe: (wake) => indexes.subscribe(what, namespace, wake),
  };
}

/** What never comes to be: clients wait for it to the end of their time. */
export function watchNothing(context: ConsulContext): Watched {
  return { revision: () => context.indexes.absent, subscribe: () => () => undefined };
}

/**
 * Answers at once, or when the index is greater than the client's, or with the present state when the wait is over.
 * An index that this registry has not reached comes from another life of it and is answered at once. `answer` takes the
 * views that it speaks of before it awaits anything.
 */
export async function answerWhenNew(
  context: ConsulContext,
  request: ControlRequest,
  options: ReadOptions,
  watched: Watched,
  answer: () => ControlReply | Promise<ControlReply>,
): Promise<ControlReply> {
  const { index, waitMs } = options;
  const isHead = request.method === 'HEAD';
  if (index > 0 && !isHead && index <= toIndex(context.registry.revision)) {
    const endMs = context.clock.now() + waitMs * (1 + context.random() * JITTER_SHARE);
    while (toIndex(watched.revision()) <= index && !request.signal.aborted) {
      const leftMs = endMs - context.clock.now();
      if (leftMs <= 0) break;
      await waitForChange(context, watched.subscribe, leftMs, request.signal);
    }
  }
  const present = watched.revision();
  const reply = await answer();
  return { ...reply, headers: { ...reply.headers, ...indexHeaders(present, options) } };
}

/** A revision as clients see it: to them an index of 0 is a fault, and revisions begin there. */
function toIndex(revision: Revision): number {
  return revision + 1;
}

/** What every read of the catalogue says of itself. */
function indexHeaders(
  revision: Revision,
  options: Pick<ReadOptions, 'consistency' | 'cached'>,
): Record<string, string> {
  return {
    'x-consul-index': String(toIndex(revision)),
    'x-consul-knownleader': 'true',
    'x-consul-lastcontact': '0',
    'x-consul-effective-consistency': options.consistency,
    'x-consul-query-backend': 'blocking-query',
    'x-consul-default-acl-policy': 'allow',
    ...(options.cached ? { 'x-cache': 'MISS', age: '0' } : {}),
  };
}
