import { isRegistryError, RegistryError } from '@portolan/core';
import { toWebhookJson } from '../codecs/webhook-json.ts';
import { jsonReply } from '../json-reply.ts';
import { type Call, type Operation, type RestContext, readBody } from '../operation.ts';
import {
  webhookAnswer,
  webhookDeletedAnswer,
  webhookFailuresAnswer,
  webhooksAnswer,
} from '../schemas/answer-schemas.ts';
import { isName } from '../schemas/fields.ts';
import { toWebhook, webhookCodec, webhookSchema } from '../schemas/webhook-schema.ts';

const TAG = 'Webhooks';
const PATH = '/webhooks/:id';
const answered = { description: 'The webhook, without its secret.', schema: webhookAnswer };

/** Subscriptions that are called on change. */
export function webhookOperations(context: RestContext): Operation[] {
  const { webhooks } = context.registry;

  function requireWebhook(call: Call) {
    const { id = '' } = call.params;
    const webhook = webhooks.get(id);
    if (!webhook) throw unknownWebhook(id);
    return webhook;
  }

  return [
    {
      id: 'listWebhooks',
      tag: TAG,
      summary: 'List webhooks',
      method: 'GET',
      path: '/webhooks',
      answers: { 200: { description: 'The webhooks.', schema: webhooksAnswer } },
      errors: [],
      handle: () => jsonReply({ webhooks: webhooks.list().map(toWebhookJson) }),
    },
    {
      id: 'createWebhook',
      tag: TAG,
      summary: 'Subscribe under an id of the server’s choice',
      method: 'POST',
      path: '/webhooks',
      body: { schema: webhookSchema, required: true },
      answers: {
        201: { ...answered, headers: { location: 'Where the webhook is.' } },
      },
      errors: ['VALIDATION_FAILED', 'ADDRESS_FORBIDDEN'],
      async handle(call) {
        const body = readBody(call, webhookCodec);
        const webhook = await create(context, (id) => toWebhook(body, id));
        return jsonReply(toWebhookJson(webhook), 201, {
          location: `/api/v1/webhooks/${webhook.id}`,
        });
      },
    },
    {
      id: 'getWebhook',
      tag: TAG,
      summary: 'Read a webhook',
      method: 'GET',
      path: PATH,
      answers: { 200: answered },
      errors: ['WEBHOOK_NOT_FOUND'],
      handle: (call) => jsonReply(toWebhookJson(requireWebhook(call))),
    },
    {
      id: 'putWebhook',
      tag: TAG,
      summary: 'Create or replace a webhook',
      method: 'PUT',
      path: PATH,
      body: { schema: webhookSchema, required: true },
      answers: { 200: answered, 201: { ...answered, description: 'Created.' } },
      errors: ['VALIDATION_FAILED', 'ADDRESS_FORBIDDEN', 'WEBHOOK_NOT_FOUND'],
      async handle(call) {
        const { id = '' } = call.params;
        if (!isName(id)) throw unknownWebhook(id);
        const body = readBody(call, webhookCodec);
        const existed = webhooks.get(id) !== undefined;
        const { document } = await webhooks.put(id, toWebhook(body, id));
        return jsonReply(toWebhookJson(document), existed ? 200 : 201);
      },
    },
    {
      id: 'deleteWebhook',
      tag: TAG,
      summary: 'Unsubscribe',
      method: 'DELETE',
      path: PATH,
      answers: { 200: { description: 'What was deleted.', schema: webhookDeletedAnswer } },
      errors: ['WEBHOOK_NOT_FOUND'],
      async handle(call) {
        const webhook = requireWebhook(call);
        if (!(await webhooks.delete(webhook.id))) throw unknownWebhook(webhook.id);
        return jsonReply({ deleted: toWebhookJson(webhook) });
      },
    },
    {
      id: 'listWebhookFailures',
      tag: TAG,
      summary: 'List recent deliveries that failed or were dropped, newest first',
      method: 'GET',
      path: '/webhooks/:id/failures',
      answers: { 200: { description: 'The failures.', schema: webhookFailuresAnswer } },
      errors: ['WEBHOOK_NOT_FOUND'],
      handle(call) {
        const failures = context.webhookFailures?.(requireWebhook(call).id) ?? [];
        return jsonReply({
          failures: failures.map(({ atMs, ...failure }) => ({
            deliveryId: failure.deliveryId,
            revision: failure.revision,
            at: new Date(atMs).toISOString(),
            attempts: failure.attempts,
            outcome: failure.outcome,
            reason: failure.reason,
          })),
        });
      },
    },
  ];
}

/** Takes the next free number as id; the guard settles who gets it when two ask at once. */
async function create(
  context: RestContext,
  toDocument: (id: string) => ReturnType<typeof toWebhook>,
) {
  const { webhooks } = context.registry;
  for (let number = webhooks.list().length + 1; ; number++) {
    const id = `webhook-${number}`;
    if (webhooks.get(id)) continue;
    try {
      return (await webhooks.put(id, toDocument(id), 0)).document;
    } catch (error) {
      if (!isRegistryError(error) || error.code !== 'CONFLICT') throw error;
    }
  }
}

function unknownWebhook(id: string): RegistryError {
  return new RegistryError('WEBHOOK_NOT_FOUND', {
    detail: `No webhook ${JSON.stringify(id.slice(0, 64))}.`,
  });
}
