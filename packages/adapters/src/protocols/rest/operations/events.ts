import { type ControlReply, RegistryError, type RegistryEvent } from '@portolan/core';
import { namespaceOfEvent, serviceOfEvent, toEventJson } from '../codecs/event-json.ts';
import { jsonReply } from '../json-reply.ts';
import type { Call, Operation, RestContext } from '../operation.ts';
import { nameParameter, queryError, scopeParameter } from '../query.ts';
import { eventsAnswer } from '../schemas/answer-schemas.ts';
import { changeEvents } from '../schemas/stream-schemas.ts';
import { EVENT_TYPES } from '../schemas/webhook-schema.ts';
import { compacted, streamEvents } from '../streams/event-stream.ts';
import { acceptsEvents, HEAD_OF_STREAM, isHead, resumeFrom } from './services.ts';

/** Every single change: a bounded window of the past, and what comes. */
export function eventOperations(context: RestContext): Operation[] {
  return [
    {
      id: 'readEvents',
      tag: 'Events',
      summary: 'Read past changes, or stream changes as they come',
      method: 'GET',
      path: '/events',
      query: {
        from: {
          description:
            'After this revision. Absent: all that is held, or, as a stream, only what comes.',
          schema: { type: 'integer', minimum: 0 },
        },
        type: {
          description: 'Only this type; several, separated by commas.',
          schema: { type: 'string', examples: [EVENT_TYPES[0]] },
        },
        service: { description: 'Only this service.', schema: { type: 'string' } },
        group: { description: 'Only this group.', schema: { type: 'string' } },
        namespace: { description: 'Default all.', schema: { type: 'string' } },
      },
      requestHeaders: { 'last-event-id': 'Resume after this revision; wins over `from`.' },
      answers: {
        200: {
          description: 'The events, oldest first.',
          schema: eventsAnswer,
          events: changeEvents,
        },
      },
      errors: ['REVISION_COMPACTED', 'REVISION_IN_FUTURE', 'TOO_MANY_WATCHERS'],
      handle: (call) => readEvents(context, call),
    },
  ];
}

function readEvents(context: RestContext, call: Call): ControlReply {
  const { registry } = context;
  const from = resumeFrom(call);
  const filter = toEventFilter(call.request.query);
  if (from !== undefined && from > registry.revision) {
    throw new RegistryError('REVISION_IN_FUTURE', {
      detail: `Revision ${from} has not happened: the registry is at ${registry.revision}. It may have been restored; read the present state, then follow from its revision.`,
    });
  }
  if (acceptsEvents(call)) {
    if (isHead(call)) return HEAD_OF_STREAM;
    const { signal, requestId } = call.request;
    return streamEvents(context, { from, filter, signal, requestId });
  }
  const { horizon } = registry.events;
  const events = registry.events.since(from ?? horizon);
  if (events === undefined) throw compacted(context, from);
  return jsonReply({
    events: events.filter(filter).map(toEventJson),
    revision: registry.revision,
    horizon,
  });
}

function toEventFilter(query: URLSearchParams): (event: RegistryEvent) => boolean {
  const types = query.get('type')?.split(',');
  for (const type of types ?? []) {
    if (!(EVENT_TYPES as readonly string[]).includes(type)) {
      throw queryError('type', `one of ${EVENT_TYPES.join(', ')}`, type);
    }
  }
  const service = nameParameter(query, 'service');
  const group = scopeParameter(query, 'group', undefined);
  const namespace = scopeParameter(query, 'namespace', undefined);
  return (event) => {
    if (types && !types.includes(event.type)) return false;
    if (namespace !== undefined && namespaceOfEvent(event) !== namespace) return false;
    if (service === undefined && group === undefined) return true;
    const key = serviceOfEvent(event);
    return (
      key !== undefined &&
      (service === undefined || key.name === service) &&
      (group === undefined || key.group === group)
    );
  };
}
