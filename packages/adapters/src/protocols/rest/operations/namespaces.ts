import { RegistryError } from '@portolan/core';
import { requireValid, validationError } from '../body/body-codec.ts';
import { jsonReply } from '../json-reply.ts';
import { type Call, type Operation, type RestContext, readJson } from '../operation.ts';
import {
  anyObjectAnswer,
  namespaceAnswer,
  namespaceDeletedAnswer,
  namespacesAnswer,
} from '../schemas/answer-schemas.ts';
import { emptySchema } from '../schemas/empty-schema.ts';
import { isName } from '../schemas/fields.ts';

const TAG = 'Namespaces';

/** Namespaces and the state of this server. */
export function namespaceOperations(context: RestContext): Operation[] {
  const { registry } = context;
  return [
    {
      id: 'listNamespaces',
      tag: TAG,
      summary: 'List namespaces',
      method: 'GET',
      path: '/namespaces',
      answers: { 200: { description: 'The namespaces.', schema: namespacesAnswer } },
      errors: [],
      handle: () => jsonReply({ namespaces: registry.namespaces() }),
    },
    {
      id: 'putNamespace',
      tag: TAG,
      summary: 'Create a namespace; nothing happens if it exists',
      method: 'PUT',
      path: '/namespaces/:name',
      body: { schema: emptySchema, required: false },
      answers: { 200: { description: 'The namespace.', schema: namespaceAnswer } },
      errors: ['VALIDATION_FAILED'],
      async handle(call) {
        const name = requireName(call);
        if (call.request.body.length > 0) requireValid({ schema: emptySchema }, readJson(call));
        await registry.createNamespace(name);
        const present = registry.namespaces().find((namespace) => namespace.name === name);
        return jsonReply(present ?? { name, services: 0, instances: 0 });
      },
    },
    {
      id: 'deleteNamespace',
      tag: TAG,
      summary: 'Delete a namespace that has no instances and no routes',
      method: 'DELETE',
      path: '/namespaces/:name',
      answers: { 200: { description: 'Its name.', schema: namespaceDeletedAnswer } },
      errors: ['NAMESPACE_NOT_FOUND', 'CONFLICT'],
      async handle(call) {
        const { name = '' } = call.params;
        if (!registry.namespaces().some((namespace) => namespace.name === name)) {
          throw new RegistryError('NAMESPACE_NOT_FOUND', {
            detail: `No namespace ${JSON.stringify(name.slice(0, 64))}.`,
          });
        }
        await registry.deleteNamespace(name);
        return jsonReply({ deleted: name });
      },
    },
    {
      id: 'getStatus',
      tag: 'Server',
      summary: 'Version, role, uptime, revision, store, counts and listeners of this server',
      method: 'GET',
      path: '/status',
      answers: { 200: { description: 'The state of the server.', schema: anyObjectAnswer } },
      errors: [],
      handle: () => jsonReply(context.status()),
    },
  ];
}

function requireName(call: Call): string {
  const { name = '' } = call.params;
  if (isName(name)) return name;
  throw validationError([
    {
      path: '$',
      expected: 'a namespace name of letters, digits, ".", "_", "-" or ":" in the path',
    },
  ]);
}
