import { type ServiceKey, type StoredServiceSettings, serviceId } from '@portolan/core';
import { toTermJson } from '../codecs/exclusive-json.ts';
import { documentReply, readReply, writeConditionally } from '../conditional.ts';
import { jsonReply } from '../json-reply.ts';
import {
  type Operation,
  type RestContext,
  readBody,
  SERVICE_QUERY,
  serviceKeyOf,
} from '../operation.ts';
import { settingsAnswer, settingsDeletedAnswer, termAnswer } from '../schemas/answer-schemas.ts';
import {
  handOverCodec,
  handOverSchema,
  settingsCodec,
  settingsSchema,
} from '../schemas/settings-schema.ts';

const TAG = 'Services';
const PATH = '/services/:name/settings';
const ETAG = { etag: 'The settings’ revision.' };
const IF_MATCH = {
  'if-match':
    'Only if the settings are at this revision, as their ETag says it; `*`: only if there are any.',
};

/** What is settled for a service as a whole, and the hand-over of an exclusive one. */
export function serviceSettingsOperations({ registry }: RestContext): Operation[] {
  const documents = registry.settingsDocuments;
  const answered = { description: 'The settings.', schema: settingsAnswer, headers: ETAG };

  return [
    {
      id: 'getServiceSettings',
      tag: TAG,
      summary: 'Read what is settled for a service; revision 0 where nothing is',
      method: 'GET',
      path: PATH,
      query: SERVICE_QUERY,
      requestHeaders: { 'if-none-match': 'Answer 304 if they are still at this revision.' },
      answers: { 200: answered, 304: { description: 'Still at that revision.', headers: ETAG } },
      errors: ['SERVICE_NOT_FOUND'],
      handle(call) {
        const service = serviceKeyOf(call);
        const settings = documents.get(serviceId(service)) ?? unsettled(service);
        return readReply(call.request, settings);
      },
    },
    {
      id: 'putServiceSettings',
      tag: TAG,
      summary: 'Settle whether a service is exclusive',
      method: 'PUT',
      path: PATH,
      query: SERVICE_QUERY,
      requestHeaders: { ...IF_MATCH, 'if-none-match': '`*`: only if nothing is settled.' },
      body: { schema: settingsSchema, required: true },
      answers: { 200: answered, 201: { ...answered, description: 'Created.' } },
      errors: ['SERVICE_NOT_FOUND', 'VALIDATION_FAILED', 'PRECONDITION_FAILED', 'STORE_FULL'],
      async handle(call) {
        const { name: service, namespace, group } = serviceKeyOf(call);
        const key = serviceId({ namespace, group, name: service });
        const { exclusive } = readBody(call, settingsCodec);
        const present = documents.get(key);
        const settings = { service, namespace, group, exclusive };
        const { document } = await writeConditionally(call.request, present, (guard) =>
          documents.put(key, settings, guard),
        );
        return documentReply(document, present ? 200 : 201);
      },
    },
    {
      id: 'deleteServiceSettings',
      tag: TAG,
      summary: 'Settle nothing any more: the service is not exclusive',
      method: 'DELETE',
      path: PATH,
      query: SERVICE_QUERY,
      requestHeaders: IF_MATCH,
      answers: {
        200: {
          description: 'What was deleted; of revision 0 when nothing was settled.',
          schema: settingsDeletedAnswer,
        },
      },
      errors: ['SERVICE_NOT_FOUND', 'PRECONDITION_FAILED'],
      async handle(call) {
        const service = serviceKeyOf(call);
        const key = serviceId(service);
        const present = documents.get(key);
        await writeConditionally(call.request, present, async (guard) => {
          if (present) await documents.delete(key, guard);
        });
        return jsonReply({ deleted: present ?? unsettled(service) });
      },
    },
    {
      id: 'handOver',
      tag: TAG,
      summary: 'Make another instance of an exclusive service active',
      method: 'POST',
      path: '/services/:name/hand-over',
      query: SERVICE_QUERY,
      body: { schema: handOverSchema, required: false },
      answers: {
        200: {
          description: 'The new term; the present one when `to` is active already.',
          schema: termAnswer,
        },
      },
      errors: [
        'SERVICE_NOT_FOUND',
        'SERVICE_NOT_EXCLUSIVE',
        'INSTANCE_NOT_FOUND',
        'STANDBY_UNAVAILABLE',
        'VALIDATION_FAILED',
        'CONFLICT',
      ],
      async handle(call) {
        const service = serviceKeyOf(call);
        const { to } = readBody(call, handOverCodec, { optional: true });
        const term = await registry.handOver(service, to);
        const { namespace, group, name } = service;
        return jsonReply({ service: name, namespace, group, ...toTermJson(term) });
      },
    },
  ];
}

function unsettled({ name, namespace, group }: ServiceKey): StoredServiceSettings {
  const none = { createRevision: 0, modifyRevision: 0 };
  return { service: name, namespace, group, exclusive: false, ...none };
}
