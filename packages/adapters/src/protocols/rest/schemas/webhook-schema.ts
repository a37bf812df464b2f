import type { RegistryEvent, Webhook } from '@portolan/core';
import { z } from 'zod';
import { isPlainHttpUrl } from '../../targets/probe-target.ts';
import type { BodyCodec } from '../body/body-codec.ts';
import { nameField } from './fields.ts';

/** Every type of event, so that a subscription to one that does not exist is refused. */
const EVENT_TYPE_ROWS: Readonly<Record<RegistryEvent['type'], true>> = {
  'instance-registered': true,
  'instance-updated': true,
  'instance-status': true,
  'instance-intent': true,
  'instance-deregistered': true,
  'protection-entered': true,
  'protection-left': true,
  'route-put': true,
  'route-deleted': true,
  'policy-put': true,
  'policy-deleted': true,
  'settings-put': true,
  'settings-deleted': true,
  'active-changed': true,
  'namespace-put': true,
  'namespace-deleted': true,
};
type EventType = RegistryEvent['type'];
export const EVENT_TYPES = Object.keys(EVENT_TYPE_ROWS) as [EventType, ...EventType[]];

const URL_EXPECTED = 'an absolute http or https URL without credentials or fragment';
const SECRET_EXPECTED = 'a secret of 16 to 256 characters';

export const webhookSchema = z
  .strictObject({
    url: z.string({ error: URL_EXPECTED }).refine(isPlainHttpUrl, { error: URL_EXPECTED }),
    secret: z
      .string({ error: SECRET_EXPECTED })
      .min(16, { error: SECRET_EXPECTED })
      .max(256, { error: SECRET_EXPECTED })
      .refine((text) => text.isWellFormed(), { error: SECRET_EXPECTED }),
    events: z.array(z.enum(EVENT_TYPES)).max(EVENT_TYPES.length).optional(),
    namespace: nameField.optional(),
    service: nameField.optional(),
  })
  .meta({
    id: 'WebhookBody',
    examples: [
      {
        url: 'https://hooks.example.com/portolan',
        secret: 'a-long-shared-secret',
        events: ['instance-registered', 'instance-deregistered'],
      },
    ],
  });

export const webhookCodec: BodyCodec<typeof webhookSchema> = { schema: webhookSchema };

export function toWebhook(body: z.output<typeof webhookSchema>, id: string): Webhook {
  return {
    id,
    url: body.url,
    secret: body.secret,
    events: body.events ?? [],
    ...(body.namespace === undefined ? undefined : { namespace: body.namespace }),
    ...(body.service === undefined ? undefined : { service: body.service }),
  };
}
