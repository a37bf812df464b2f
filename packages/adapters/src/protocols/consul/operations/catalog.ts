import type {
  ControlReply,
  ControlRequest,
  HttpRoute,
  Instance,
  ServiceView,
} from '@portolan/core';
import { toNodeJson } from '../codecs/node-json.ts';
import { toAgentServiceJson, toCatalogJson, weightDivisor } from '../codecs/service-json.ts';
import type { ConsulContext } from '../consul-context.ts';
import { compileFilter, type Filter } from '../filter/compile-filter.ts';
import { FILTER_FIELDS, type FieldType } from '../filter/filter-fields.ts';
import { toServiceKey, toServiceName } from '../identity.ts';
import { bytesReply, jsonReply, LEFT_OUT, listReply, mapReply } from '../json-reply.ts';
import { answerWhenNew, watchCatalogue, watchService } from '../query/blocking-query.ts';
import { nodeMetaParameters, readOptions } from '../query/request-options.ts';
import { nodeNameOf } from '../reserved-labels.ts';
import { get } from './consul-route.ts';
import { chooser, KEPT_INSTANCES, readConnect } from './health.ts';
import { hasNodeMeta, presentViews, scanInstances } from './instance-scan.ts';

/** `/v1/catalog/…`, the reading half. */
export function catalogRoutes(context: ConsulContext): HttpRoute[] {
  return [
    get('/catalog/datacenters', (request) =>
      jsonReply([context.datacenter], request.query.has('pretty')),
    ),
    get('/catalog/services', (request) => readServices(context, request)),
    get('/catalog/service/:name', (request, { name = '' }) => readService(context, request, name)),
    get('/catalog/connect/:name', (request) => readConnect(context, request)),
    get('/catalog/nodes', (request) => readNodes(context, request)),
    get('/catalog/node/:node', (request, { node = '' }) => readNode(context, request, node, false)),
    get('/catalog/node-services/:node', (request, { node = '' }) =>
      readNode(context, request, node, true),
    ),
  ];
}

function filterOf(source: string | undefined, type: FieldType): Filter | undefined {
  return source === undefined ? undefined : compileFilter(source, type);
}

async function readServices(
  context: ConsulContext,
  request: ControlRequest,
): Promise<ControlReply> {
  const options = readOptions(request, context.datacenter);
  const { namespace, pretty } = options;
  const meta = nodeMetaParameters(request.query);
  const filter = filterOf(options.filter, FILTER_FIELDS.serviceNode);
  if (meta.length === 0 && filter === undefined) {
    const { indexes } = context;
    await indexes.prepare(namespace);
    const watched = watchCatalogue(context, 'services', namespace);
    try {
      return await answerWhenNew(context, request, options, watched, () => {
        const list = [...indexes.services(namespace).list];
        const entries = list.map(({ service, tags }) => [toServiceName(service), tags] as const);
        return mapReply(context, entries, pretty);
      });
    } finally {
      indexes.release(namespace);
    }
  }
  const watched = watchCatalogue(context, 'instances', namespace);
  return answerWhenNew(context, request, options, watched, async () => {
    const found = new Map<ServiceView, Set<string>>();
    const divisorOf = divisors();
    await scanInstances(context, presentViews(context, namespace), (instance, view) => {
      if (!hasNodeMeta(instance, meta)) return false;
      const isChosen =
        filter?.(toCatalogJson(instance, divisorOf(view), context.datacenter)) ?? true;
      if (!isChosen) return false;
      const tags = found.get(view) ?? new Set();
      found.set(view, tags);
      for (const tag of instance.tags) tags.add(tag);
      return false;
    });
    return mapReply(
      context,
      [...found].map(([{ service }, tags]) => [toServiceName(service), [...tags].sort()]),
      pretty,
    );
  });
}

/** Each view's divisor, found once. */
function divisors(): (view: ServiceView) => number {
  const known = new Map<ServiceView, number>();
  return (view) => {
    const divisor = known.get(view) ?? weightDivisor(view);
    known.set(view, divisor);
    return divisor;
  };
}

async function readService(
  context: ConsulContext,
  request: ControlRequest,
  name: string,
): Promise<ControlReply> {
  const { registry, datacenter } = context;
  const options = readOptions(request, datacenter);
  const filter = filterOf(options.filter, FILTER_FIELDS.catalogService);
  const service = toServiceKey(name, options.namespace, registry);
  const choose = await chooser(context, request, options.namespace);

  function* entries(view: ServiceView, instances: readonly Instance[]) {
    const divisor = weightDivisor(view);
    for (const instance of instances) {
      const entry = toCatalogJson(instance, divisor, datacenter);
      yield filter === undefined || filter(entry) ? entry : LEFT_OUT;
    }
  }
  return answerWhenNew(context, request, options, watchService(context, service), () => {
    const view = registry.view(service);
    if (!view) return listReply(context, [], options.pretty);
    if (!choose && !filter && !options.pretty && view.count <= KEPT_INSTANCES) {
      const make = (): string => JSON.stringify([...entries(view, view.instances)]);
      return bytesReply(context.replies.json(view, 'catalog', make));
    }
    return listReply(
      context,
      entries(view, choose ? choose(view.instances) : view.instances),
      options.pretty,
    );
  });
}

function readNodes(context: ConsulContext, request: ControlRequest): Promise<ControlReply> {
  const options = readOptions(request, context.datacenter);
  const meta = nodeMetaParameters(request.query);
  const filter = filterOf(options.filter, FILTER_FIELDS.node);
  const watched = watchCatalogue(context, 'instances', options.namespace);
  return answerWhenNew(context, request, options, watched, async () => {
    const nodes = new Map<string, Instance>();
    await scanInstances(context, presentViews(context, options.namespace), (instance) => {
      const name = nodeNameOf(instance);
      if (!nodes.has(name) && hasNodeMeta(instance, meta)) nodes.set(name, instance);
      return false;
    });
    return listReply(
      context,
      nodesJson(nodes.values(), context.datacenter, filter),
      options.pretty,
    );
  });
}

function* nodesJson(instances: Iterable<Instance>, datacenter: string, filter: Filter | undefined) {
  for (const instance of instances) {
    const node = toNodeJson(instance, datacenter);
    yield (filter?.(node) ?? true) ? node : LEFT_OUT;
  }
}

function readNode(
  context: ConsulContext,
  request: ControlRequest,
  name: string,
  asList: boolean,
): Promise<ControlReply> {
  const options = readOptions(request, context.datacenter);
  const filter = filterOf(options.filter, FILTER_FIELDS.service);
  const watched = watchCatalogue(context, 'instances', options.namespace);
  return answerWhenNew(context, request, options, watched, async () => {
    const services: { readonly ID: string }[] = [];
    const divisorOf = divisors();
    let node: object | undefined;
    await scanInstances(context, presentViews(context, options.namespace), (instance, view) => {
      if (nodeNameOf(instance) !== name) return false;
      node ??= toNodeJson(instance, context.datacenter);
      const service = toAgentServiceJson(instance, divisorOf(view), context.datacenter);
      if (filter?.(service) ?? true) services.push(service);
      return false;
    });
    // Consul answers null for a node that it does not know.
    if (!node) return jsonReply(null, options.pretty);
    const byId = Object.fromEntries(services.map((service) => [service.ID, service]));
    return jsonReply({ Node: node, Services: asList ? services : byId }, options.pretty);
  });
}
