import {
  type ControlReply,
  type Destination,
  isRegistryError,
  RegistryError,
  type Route,
  type StoredRoute,
} from '@portolan/core';
import { validationError } from '../body/body-codec.ts';
import { toRouteJson } from '../codecs/route-json.ts';
import {
  documentReply,
  readReply,
  toCondition,
  toConditionError,
  toGuard,
  writeConditionally,
} from '../conditional.ts';
import { jsonReply } from '../json-reply.ts';
import {
  type Call,
  NAMESPACE_QUERY,
  namespaceOf,
  type Operation,
  type RestContext,
  readBody,
} from '../operation.ts';
import { scopeParameter } from '../query.ts';
import { routeDeletedAnswer, routesAnswer } from '../schemas/answer-schemas.ts';
import { isName } from '../schemas/fields.ts';
import { routeAnswer } from '../schemas/route-answer.ts';
import {
  routeCodec,
  routeSchema,
  toRoute,
  weightsCodec,
  weightsSchema,
} from '../schemas/route-schema.ts';

const TAG = 'Routes';
const ETAG = { etag: 'The route’s revision.' };
const IF_MATCH = {
  'if-match': 'Only if the route is at this revision, as its ETag says it; `*`: only if it exists.',
};
const IF_NONE_MATCH = { 'if-none-match': '`*`: only if there is no such route.' };
/** A change of weights is made on what was read; a write in between costs another try. */
const WEIGHT_ATTEMPTS = 8;

/** The gateway's routes, as documents with revisions. */
export function routeOperations(context: RestContext): Operation[] {
  const { registry } = context;
  const documents = registry.routeDocuments;
  const answered = { description: 'The route.', schema: routeAnswer, headers: ETAG };

  return [
    {
      id: 'listRoutes',
      tag: TAG,
      summary: 'List routes',
      method: 'GET',
      path: '/routes',
      query: {
        namespace: { description: 'Default "default"; `*` for all.', schema: { type: 'string' } },
      },
      answers: { 200: { description: 'The routes.', schema: routesAnswer } },
      errors: [],
      handle(call) {
        const namespace = scopeParameter(call.request.query, 'namespace', 'default');
        const routes = registry
          .routes()
          .filter((route) => namespace === undefined || route.namespace === namespace);
        return jsonReply({ routes: routes.map(toRouteJson), revision: registry.revision });
      },
    },
    {
      id: 'getRoute',
      tag: TAG,
      summary: 'Read a route',
      method: 'GET',
      path: '/routes/:name',
      query: NAMESPACE_QUERY,
      requestHeaders: { 'if-none-match': 'Answer 304 if the route is still at this revision.' },
      answers: { 200: answered, 304: { description: 'Still at that revision.', headers: ETAG } },
      errors: ['ROUTE_NOT_FOUND'],
      handle(call) {
        const { route } = requireRoute(call);
        return readReply(call.request, route, toRouteJson(route));
      },
    },
    {
      id: 'putRoute',
      tag: TAG,
      summary: 'Create or replace a route',
      method: 'PUT',
      path: '/routes/:name',
      query: NAMESPACE_QUERY,
      requestHeaders: { ...IF_MATCH, ...IF_NONE_MATCH },
      body: { schema: routeSchema, required: true },
      answers: { 200: answered, 201: { ...answered, description: 'Created.' } },
      errors: ['VALIDATION_FAILED', 'PRECONDITION_FAILED', 'STORE_FULL'],
      async handle(call) {
        const { key, name, namespace } = routeKeyOf(call);
        const body = readBody(call, routeCodec(name, namespace));
        const present = documents.get(key);
        const { document } = await writeConditionally(call.request, present, (guard) =>
          documents.put(key, toRoute(body, name, namespace), guard),
        );
        return routeReply(document, present ? 200 : 201);
      },
    },
    {
      id: 'deleteRoute',
      tag: TAG,
      summary: 'Delete a route',
      method: 'DELETE',
      path: '/routes/:name',
      query: NAMESPACE_QUERY,
      requestHeaders: IF_MATCH,
      answers: { 200: { description: 'What was deleted.', schema: routeDeletedAnswer } },
      errors: ['ROUTE_NOT_FOUND', 'PRECONDITION_FAILED'],
      async handle(call) {
        const { key, route } = requireRoute(call);
        await writeConditionally(call.request, route, async (guard) => {
          if (!(await documents.delete(key, guard)))
            throw unknownRoute(route.name, route.namespace);
        });
        return jsonReply({ deleted: toRouteJson(route) });
      },
    },
    {
      id: 'setRouteWeights',
      tag: TAG,
      summary: 'Shift a route’s traffic between its destinations',
      method: 'PUT',
      path: '/routes/:name/weights',
      query: NAMESPACE_QUERY,
      requestHeaders: IF_MATCH,
      body: { schema: weightsSchema, required: true },
      answers: { 200: answered },
      errors: ['ROUTE_NOT_FOUND', 'VALIDATION_FAILED', 'PRECONDITION_FAILED', 'CONFLICT'],
      handle: (call) => setWeights(call),
    },
  ];

  function requireRoute(call: Call): { key: string; route: StoredRoute } {
    const { key, name, namespace } = routeKeyOf(call);
    const route = documents.get(key);
    if (!route) throw unknownRoute(name, namespace);
    return { key, route };
  }

  async function setWeights(call: Call): Promise<ControlReply> {
    const { weights } = readBody(call, weightsCodec);
    const condition = toCondition(call.request);
    for (let attempt = 1; ; attempt++) {
      const { key, route } = requireRoute(call);
      toGuard(condition, route);
      // Whose route it was before: from now on it is the caller's.
      const { createRevision: _created, owner: _owner, modifyRevision, ...document } = route;
      const destinations = withWeights(route, weights);
      try {
        const changed: Route = { ...document, destinations };
        return routeReply((await documents.put(key, changed, modifyRevision)).document);
      } catch (error) {
        const lostRace = isRegistryError(error) && error.code === 'CONFLICT';
        if (condition.kind === 'at' || !lostRace || attempt === WEIGHT_ATTEMPTS) {
          throw toConditionError(error, condition);
        }
      }
    }
  }
}

function routeReply(route: StoredRoute, status = 200): ControlReply {
  return documentReply(route, status, toRouteJson(route));
}

function routeKeyOf(call: Call): { key: string; name: string; namespace: string } {
  const namespace = namespaceOf(call);
  const name = call.params.name ?? '';
  if (!isName(name)) throw unknownRoute(name.slice(0, 64), namespace);
  return { key: `${namespace}/${name}`, name, namespace };
}

function unknownRoute(name: string, namespace: string): RegistryError {
  return new RegistryError('ROUTE_NOT_FOUND', {
    detail: `No route ${JSON.stringify(name)} in namespace ${namespace}.`,
  });
}

function withWeights(
  route: StoredRoute,
  weights: readonly number[] | Readonly<Record<string, number>>,
): Destination[] {
  const { destinations } = route;
  if (Array.isArray(weights)) {
    if (weights.length !== destinations.length) {
      throw validationError([
        {
          path: '$.weights',
          expected: `${destinations.length} weights, one per destination`,
          found: `a list of ${weights.length}`,
        },
      ]);
    }
    return destinations.map((destination, at) => ({ ...destination, weight: weights[at] ?? 0 }));
  }
  const byVersion = new Map(Object.entries(weights));
  const versions = destinations.map((destination) => destination.subset.version);
  const wrong = [...byVersion.keys()].filter((version) => !versions.includes(version));
  const missing = versions.filter((version) => version === undefined || !byVersion.has(version));
  if (wrong.length > 0 || missing.length > 0) {
    throw validationError([
      {
        path: '$.weights',
        expected: `a weight for each version of the route: ${versions.map((version) => version ?? '(a destination without version)').join(', ')}`,
        found: [...byVersion.keys()].join(', ').slice(0, 64) || 'nothing',
      },
    ]);
  }
  return destinations.map((destination) => ({
    ...destination,
    weight: byVersion.get(destination.subset.version ?? '') ?? 0,
  }));
}
