import { parseIp, RegistryError } from '@portolan/core';
import { toExplanationJson } from '../codecs/explanation-json.ts';
import { jsonReply } from '../json-reply.ts';
import type { Operation, RestContext } from '../operation.ts';
import { queryError } from '../query.ts';
import { explanationAnswer } from '../schemas/explanation-schema.ts';

/** What the gateway of this process would do with a request. */
export function routeExplanationOperations({ explainer }: RestContext): Operation[] {
  return [
    {
      id: 'explainRoute',
      tag: 'Routes',
      summary: 'Explain where a request would go, and why',
      method: 'GET',
      path: '/routes/explain',
      query: {
        method: { description: 'Default GET.', schema: { type: 'string' } },
        url: {
          description:
            'Required. Absolute, http or https; or a path, with a `header` that gives the Host.',
          schema: { type: 'string' },
        },
        header: {
          description: '`Name: value`.',
          schema: { type: 'string' },
          repeated: true,
        },
        source: {
          description: 'IP address that the request comes from; default: that of this call.',
          schema: { type: 'string' },
        },
      },
      answers: {
        200: {
          description: 'What would become of it; nothing was sent and nothing changed.',
          schema: explanationAnswer,
        },
      },
      errors: ['GATEWAY_ABSENT'],
      async handle({ request }) {
        const { query } = request;
        const url = query.get('url');
        if (url === null) throw queryError('url', 'a URL');
        const headers = query.getAll('header').flatMap(toHeader);
        const source = query.get('source') ?? request.remoteAddress;
        if (parseIp(source) === undefined) throw queryError('source', 'an IP address', source);
        const gateway = explainer?.();
        if (gateway === undefined) {
          throw new RegistryError('GATEWAY_ABSENT', {
            detail: 'Ask a process whose role is "both": the gateway knows its own routes best.',
          });
        }
        const method = query.get('method') ?? 'GET';
        const explanation = await gateway.explain({ method, url, headers, source });
        return jsonReply(toExplanationJson(explanation));
      },
    },
  ];
}

function toHeader(text: string): [name: string, value: string] {
  const colon = text.indexOf(':');
  if (colon <= 0) throw queryError('header', 'Name: value', text);
  return [text.slice(0, colon), text.slice(colon + 1).trim()];
}
