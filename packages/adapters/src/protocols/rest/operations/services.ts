import type { ControlReply, ServiceView } from '@portolan/core';
import { toViewJson } from '../codecs/instance-json.ts';
import { INSTANCE_FILTERS, toInstanceFilter } from '../instance-filter.ts';
import { JSON_HEADERS, jsonReply } from '../json-reply.ts';
import {
  type Call,
  type Operation,
  type RestContext,
  SERVICE_QUERY,
  serviceKeyOf,
} from '../operation.ts';
import {
  booleanParameter,
  durationParameter,
  queryError,
  revisionParameter,
  scopeParameter,
  toRevision,
} from '../query.ts';
import { servicesAnswer, viewAnswer } from '../schemas/answer-schemas.ts';
import { mirrorEvents, serviceEvents } from '../schemas/stream-schemas.ts';
import { inServiceOrder } from '../service-order.ts';
import { DEFAULT_WAIT_MS, longPoll } from '../streams/long-poll.ts';
import { streamMirror } from '../streams/mirror-stream.ts';
import { presentView } from '../streams/present-view.ts';
import { streamService } from '../streams/service-stream.ts';
import { SSE_HEADERS } from '../streams/sse-body.ts';

const TAG = 'Services';
const REVISION_HEADER = 'x-portolan-revision';
const LAST_EVENT_ID = 'Resume after this revision; wins over `from`.';

/** The reader's side: services, views, and the three ways of following them. */
export function serviceOperations(context: RestContext): Operation[] {
  const { registry } = context;
  return [
    {
      id: 'listServices',
      tag: TAG,
      summary: 'List services with their counts',
      method: 'GET',
      path: '/services',
      query: {
        namespace: { description: 'Default "default"; `*` for all.', schema: { type: 'string' } },
        group: { description: 'Only this group; default all.', schema: { type: 'string' } },
      },
      answers: { 200: { description: 'The services.', schema: servicesAnswer } },
      errors: [],
      handle(call) {
        const { query } = call.request;
        const group = scopeParameter(query, 'group', undefined);
        const services = inServiceOrder(
          registry.services(scopeParameter(query, 'namespace', 'default')),
        )
          .filter(({ service }) => group === undefined || service.group === group)
          .map(({ service, ...counts }) => ({
            service: service.name,
            namespace: service.namespace,
            group: service.group,
            instances: counts.instances,
            routable: counts.routable,
            protected: counts.protected,
            exclusive: counts.exclusive,
            revision: counts.revision,
          }));
        return jsonReply({ services, revision: registry.revision });
      },
    },
    {
      id: 'readService',
      tag: TAG,
      summary: 'Read a service’s instances: at once, by long poll, or as a stream',
      method: 'GET',
      path: '/services/:name/instances',
      query: {
        ...SERVICE_QUERY,
        ...INSTANCE_FILTERS,
        index: {
          description:
            'Long poll: answer when the view’s revision is greater than this, or when `wait` is over.',
          schema: { type: 'integer', minimum: 0 },
        },
        wait: { description: 'Default 30s, at most 10m.', schema: { type: 'string' } },
        watch: { description: 'true: stream server-sent events.', schema: { type: 'boolean' } },
        from: {
          description: 'Stream: send the present view only if it is newer than this.',
          schema: { type: 'integer', minimum: 0 },
        },
      },
      requestHeaders: { 'last-event-id': LAST_EVENT_ID },
      answers: {
        200: {
          description: 'The view; without instances when there is no such service.',
          schema: viewAnswer,
          events: serviceEvents,
          headers: { [REVISION_HEADER]: 'The view’s revision, for the next long poll.' },
        },
      },
      errors: ['SERVICE_NOT_FOUND', 'TOO_MANY_WATCHERS'],
      handle: (call) => readService(context, call),
    },
    {
      id: 'watch',
      tag: TAG,
      summary: 'Stream what a mirror of the whole catalogue needs',
      method: 'GET',
      path: '/watch',
      query: {
        namespace: { description: 'Default all.', schema: { type: 'string' } },
        from: {
          description: 'Resume after this revision.',
          schema: { type: 'integer', minimum: 0 },
        },
      },
      requestHeaders: { 'last-event-id': LAST_EVENT_ID },
      answers: {
        200: {
          description: 'A stream of events.',
          events: mirrorEvents,
        },
      },
      errors: ['TOO_MANY_WATCHERS'],
      handle(call) {
        if (isHead(call)) return HEAD_OF_STREAM;
        return streamMirror(context, {
          from: resumeFrom(call),
          namespace: scopeParameter(call.request.query, 'namespace', undefined),
          signal: call.request.signal,
        });
      },
    },
  ];
}

async function readService(context: RestContext, call: Call): Promise<ControlReply> {
  const { query, signal } = call.request;
  const service = serviceKeyOf(call);
  const filter = toInstanceFilter(query);
  const index = revisionParameter(query, 'index');
  const waitMs = durationParameter(query, 'wait') ?? DEFAULT_WAIT_MS;
  if (booleanParameter(query, 'watch') === true || acceptsEvents(call)) {
    if (index !== undefined) throw queryError('index', 'either a stream or a long poll');
    if (isHead(call)) return HEAD_OF_STREAM;
    return streamService(context, { service, from: resumeFrom(call), filter, signal });
  }
  const view =
    index === undefined
      ? presentView(context.registry, service, undefined).view
      : await longPoll(context, service, index, waitMs, signal);
  return viewReply(context, view, filter);
}

function viewReply(
  context: RestContext,
  view: ServiceView,
  filter: ReturnType<typeof toInstanceFilter>,
): ControlReply {
  return {
    status: 200,
    headers: { ...JSON_HEADERS, [REVISION_HEADER]: String(view.revision) },
    body:
      filter === undefined
        ? context.frames.json(view)
        : JSON.stringify(toViewJson(view, view.instances.filter(filter))),
  };
}

/** A router may send HEAD here (RFC 9110 §9.3.2): a stream that nobody reads must not be opened. */
export function isHead(call: Call): boolean {
  return call.request.method === 'HEAD';
}

export const HEAD_OF_STREAM: ControlReply = { status: 200, headers: SSE_HEADERS };

/** Whether the request asks for server-sent events. */
export function acceptsEvents(call: Call): boolean {
  return call.request.header('accept')?.includes('text/event-stream') ?? false;
}

/** Where a stream goes on: what the reader saw last wins over what its URL says. */
export function resumeFrom(call: Call): number | undefined {
  const last = call.request.header('last-event-id');
  if (last !== undefined && last !== '') return toRevision('Last-Event-ID', last);
  return revisionParameter(call.request.query, 'from');
}
