import type { WebhookBody, WebhookDocument, WebhookFailureDocument } from '../wire/documents.ts';
import type { Caller, CallScope } from './caller.ts';

/** Subscriptions that the registry calls on change. */
export function createWebhookCalls({ call, list }: Caller) {
  const pathOf = (id: string) => `/webhooks/${encodeURIComponent(id)}`;
  const reach = 'server';

  return {
    list: (scope?: CallScope) => list<WebhookDocument>('webhooks', '/webhooks', { scope, reach }),
    /** Under an id of the registry's choice. */
    create: (body: WebhookBody, scope?: CallScope) =>
      call<WebhookDocument>('POST', '/webhooks', { scope, reach, body }),
    get: (id: string, scope?: CallScope) =>
      call<WebhookDocument>('GET', pathOf(id), { scope, reach }),
    put: (id: string, body: WebhookBody, scope?: CallScope) =>
      call<WebhookDocument>('PUT', pathOf(id), { scope, reach, body }),
    delete: (id: string, scope?: CallScope) =>
      call<{ readonly deleted: WebhookDocument }>('DELETE', pathOf(id), { scope, reach }),
    /** Deliveries that failed or were dropped, newest first. */
    failures: (id: string, scope?: CallScope) =>
      list<WebhookFailureDocument>('failures', `${pathOf(id)}/failures`, { scope, reach }),
  };
}
