import type { Webhook } from '@portolan/core';

/** A webhook as the API answers it: everything but the secret. */
export function toWebhookJson(
  webhook: Webhook & { readonly createRevision: number; readonly modifyRevision: number },
) {
  return {
    id: webhook.id,
    url: webhook.url,
    events: webhook.events,
    namespace: webhook.namespace ?? null,
    service: webhook.service ?? null,
    createRevision: webhook.createRevision,
    modifyRevision: webhook.modifyRevision,
  };
}
