import { RegistryError, type StoredTrafficPolicy, serviceId } from '@portolan/core';
import { documentReply, readReply, writeConditionally } from '../conditional.ts';
import { jsonReply } from '../json-reply.ts';
import {
  type Call,
  type Operation,
  type RestContext,
  readBody,
  SERVICE_QUERY,
  serviceKeyOf,
} from '../operation.ts';
import { scopeParameter } from '../query.ts';
import { policyCodec, policySchema, toPolicy } from '../schemas/policy-schema.ts';
import { policiesAnswer, policyAnswer, policyDeletedAnswer } from '../schemas/route-answer.ts';

const TAG = 'Traffic policies';
const PATH = '/policies/:name';
const ETAG = { etag: 'The policy’s revision.' };
const IF_MATCH = {
  'if-match':
    'Only if the policy is at this revision, as its ETag says it; `*`: only if it exists.',
};

/** How the gateway treats each service's instances, as documents with revisions. */
export function policyOperations({ registry }: RestContext): Operation[] {
  const documents = registry.policyDocuments;
  const answered = { description: 'The policy.', schema: policyAnswer, headers: ETAG };

  function requirePolicy(call: Call): { key: string; policy: StoredTrafficPolicy } {
    const service = serviceKeyOf(call);
    const key = serviceId(service);
    const policy = documents.get(key);
    if (!policy) {
      throw new RegistryError('POLICY_NOT_FOUND', {
        detail: `No traffic policy for service ${JSON.stringify(service.name)} in namespace ${service.namespace}.`,
      });
    }
    return { key, policy };
  }

  return [
    {
      id: 'listPolicies',
      tag: TAG,
      summary: 'List traffic policies',
      method: 'GET',
      path: '/policies',
      query: {
        namespace: { description: 'Default "default"; `*` for all.', schema: { type: 'string' } },
      },
      answers: { 200: { description: 'The policies.', schema: policiesAnswer } },
      errors: [],
      handle(call) {
        const namespace = scopeParameter(call.request.query, 'namespace', 'default');
        const policies = documents
          .list()
          .filter((policy) => namespace === undefined || policy.namespace === namespace);
        return jsonReply({ policies, revision: registry.revision });
      },
    },
    {
      id: 'getPolicy',
      tag: TAG,
      summary: 'Read a service’s traffic policy',
      method: 'GET',
      path: PATH,
      query: SERVICE_QUERY,
      requestHeaders: { 'if-none-match': 'Answer 304 if the policy is still at this revision.' },
      answers: { 200: answered, 304: { description: 'Still at that revision.', headers: ETAG } },
      errors: ['POLICY_NOT_FOUND'],
      handle(call) {
        return readReply(call.request, requirePolicy(call).policy);
      },
    },
    {
      id: 'putPolicy',
      tag: TAG,
      summary: 'Create or replace a service’s traffic policy',
      method: 'PUT',
      path: PATH,
      query: SERVICE_QUERY,
      requestHeaders: { ...IF_MATCH, 'if-none-match': '`*`: only if there is no such policy.' },
      body: { schema: policySchema, required: true },
      answers: { 200: answered, 201: { ...answered, description: 'Created.' } },
      errors: ['VALIDATION_FAILED', 'PRECONDITION_FAILED', 'STORE_FULL'],
      async handle(call) {
        const { name: service, namespace, group } = serviceKeyOf(call);
        const owner = { service, namespace, group };
        const key = serviceId({ name: service, namespace, group });
        const body = readBody(call, policyCodec(owner));
        const present = documents.get(key);
        const { document } = await writeConditionally(call.request, present, (guard) =>
          documents.put(key, toPolicy(body, owner), guard),
        );
        return documentReply(document, present ? 200 : 201);
      },
    },
    {
      id: 'deletePolicy',
      tag: TAG,
      summary: 'Delete a service’s traffic policy',
      method: 'DELETE',
      path: PATH,
      query: SERVICE_QUERY,
      requestHeaders: IF_MATCH,
      answers: { 200: { description: 'What was deleted.', schema: policyDeletedAnswer } },
      errors: ['POLICY_NOT_FOUND', 'PRECONDITION_FAILED'],
      async handle(call) {
        const { key, policy } = requirePolicy(call);
        await writeConditionally(call.request, policy, async (guard) => {
          if (!(await documents.delete(key, guard))) requirePolicy(call);
        });
        return jsonReply({ deleted: policy });
      },
    },
  ];
}
