import type {
  ControlReply,
  ControlRequest,
  HttpRoute,
  Instance,
  ServiceView,
} from '@portolan/core';
import { toChecksJson, toNodeCheck, toServiceChecksJson } from '../codecs/check-json.ts';
import { toNodeJson } from '../codecs/node-json.ts';
import { toServiceJson, weightDivisor } from '../codecs/service-json.ts';
import type { ConsulContext } from '../consul-context.ts';
import { compileFilter } from '../filter/compile-filter.ts';
import { FILTER_FIELDS } from '../filter/filter-fields.ts';
import { callerAddress, toServiceKey } from '../identity.ts';
import { bytesReply, LEFT_OUT, listReply } from '../json-reply.ts';
import {
  answerWhenNew,
  watchCatalogue,
  watchNothing,
  watchService,
} from '../query/blocking-query.ts';
import { flagParameter, nodeMetaParameters, readOptions } from '../query/request-options.ts';
import { nodeNameOf } from '../reserved-labels.ts';
import { get } from './consul-route.ts';
import {
  hasNodeMeta,
  hasTags,
  instancesOn,
  presentViews,
  someInstanceOn,
  sortedByNearness,
} from './instance-scan.ts';

/** Answers about larger services are not kept: they are made and sent piece by piece. */
export const KEPT_INSTANCES = 5_000;

/** `/v1/health/…`: who is there, and how it is. */
export function healthRoutes(context: ConsulContext): HttpRoute[] {
  return [
    get('/health/service/:name', (request, { name = '' }) => readHealth(context, request, name)),
    get('/health/connect/:name', (request) => readConnect(context, request)),
    get('/health/checks/:name', (request, { name = '' }) => readChecks(context, request, name)),
    get('/health/node/:node', (request, { node = '' }) => readNode(context, request, node)),
    get('/health/state/:state', (request, { state = '' }) => readState(context, request, state)),
  ];
}

async function readHealth(
  context: ConsulContext,
  request: ControlRequest,
  name: string,
): Promise<ControlReply> {
  const { registry, datacenter } = context;
  const options = readOptions(request, datacenter);
  const isPassing = flagParameter(request.query, 'passing');
  const filter =
    options.filter === undefined
      ? undefined
      : compileFilter(options.filter, FILTER_FIELDS.healthEntry);
  const service = toServiceKey(name, options.namespace, registry);
  const choose = await chooser(context, request, options.namespace);
  const isPlain = choose === undefined && filter === undefined && !options.pretty;

  function* entries(view: ServiceView, instances: readonly Instance[]) {
    const divisor = weightDivisor(view);
    for (const instance of instances) {
      const Checks = toChecksJson(instance, registry);
      if (isPassing && Checks.some(({ Status }) => Status !== 'passing')) {
        yield LEFT_OUT;
        continue;
      }
      const Node = toNodeJson(instance, datacenter);
      const entry = { Node, Service: toServiceJson(instance, divisor), Checks };
      yield filter === undefined || filter(entry) ? entry : LEFT_OUT;
    }
  }
  return answerWhenNew(context, request, options, watchService(context, service), () => {
    const view = registry.view(service);
    if (!view) return listReply(context, [], options.pretty);
    if (isPlain && view.count <= KEPT_INSTANCES) {
      const variant = isPassing ? 'health-passing' : 'health';
      const make = (): string =>
        JSON.stringify([...entries(view, view.instances)].filter((entry) => entry !== LEFT_OUT));
      return bytesReply(context.replies.json(view, variant, make));
    }
    return listReply(
      context,
      entries(view, choose ? choose(view.instances) : view.instances),
      options.pretty,
    );
  });
}

/** What `tag`, `node-meta` and `near` make of a list; undefined when none of them is asked for. */
export async function chooser(
  context: ConsulContext,
  request: ControlRequest,
  namespace: string,
): Promise<((instances: readonly Instance[]) => readonly Instance[]) | undefined> {
  const { query } = request;
  const tags = query.getAll('tag').filter((tag) => tag !== '');
  const meta = nodeMetaParameters(query);
  const wanted = query.get('near') || undefined;
  if (tags.length === 0 && meta.length === 0 && wanted === undefined) return undefined;
  const choose = (instances: readonly Instance[]): readonly Instance[] =>
    instances.filter((instance) => hasTags(instance, tags) && hasNodeMeta(instance, meta));
  if (wanted === undefined) return choose;
  // Consul's local agent is the caller's own node.
  const isOwn = wanted === '_agent' || wanted === '_ip';
  const near = isOwn ? callerAddress(request.remoteAddress) : wanted;
  const origin = await someInstanceOn(context, namespace, near);
  return (instances) => sortedByNearness(choose(instances), near, origin);
}

/** Nothing here is part of a mesh: an empty list that can be waited on. */
export function readConnect(context: ConsulContext, request: ControlRequest) {
  const options = readOptions(request, context.datacenter);
  return answerWhenNew(context, request, options, watchNothing(context), () =>
    listReply(context, [], options.pretty),
  );
}

async function readChecks(context: ConsulContext, request: ControlRequest, name: string) {
  const { registry } = context;
  const options = readOptions(request, context.datacenter);
  const filter = checkFilter(options.filter);
  const service = toServiceKey(name, options.namespace, registry);
  const choose = await chooser(context, request, options.namespace);
  return answerWhenNew(context, request, options, watchService(context, service), () => {
    const instances = registry.view(service)?.instances ?? [];
    const chosen = choose ? choose(instances) : instances;
    const checks = chosen.flatMap((instance) => toServiceChecksJson(instance, registry));
    return listReply(context, checks.filter(filter), options.pretty);
  });
}

function readNode(context: ConsulContext, request: ControlRequest, node: string) {
  const { registry } = context;
  const options = readOptions(request, context.datacenter);
  const filter = checkFilter(options.filter);
  const watched = watchCatalogue(context, 'instances', options.namespace);
  return answerWhenNew(context, request, options, watched, async () => {
    const instances = await instancesOn(context, options.namespace, node);
    const checks = [
      ...instances.slice(0, 1).map(toNodeCheck),
      ...instances.flatMap((instance) => toServiceChecksJson(instance, registry)),
    ];
    return listReply(context, checks.filter(filter), options.pretty);
  });
}

function readState(context: ConsulContext, request: ControlRequest, state: string) {
  const options = readOptions(request, context.datacenter);
  const filter = checkFilter(options.filter);
  const meta = nodeMetaParameters(request.query);
  const watched = watchCatalogue(context, 'instances', options.namespace);
  return answerWhenNew(context, request, options, watched, () => {
    const views = presentViews(context, options.namespace);
    return listReply(context, checksIn(context, views, state, meta, filter), options.pretty);
  });
}

function* checksIn(
  context: ConsulContext,
  views: readonly ServiceView[],
  state: string,
  meta: readonly (readonly [string, string])[],
  filter: (check: object) => boolean,
) {
  const nodes = new Set<string>();
  for (const { instances } of views) {
    for (const instance of instances) {
      if (!hasNodeMeta(instance, meta)) continue;
      const checks = toServiceChecksJson(instance, context.registry);
      const node = nodeNameOf(instance);
      if (!nodes.has(node)) checks.unshift(toNodeCheck(instance));
      nodes.add(node);
      for (const check of checks) {
        const isAsked = (state === 'any' || check.Status === state) && filter(check);
        yield isAsked ? check : LEFT_OUT;
      }
    }
  }
}

function checkFilter(source: string | undefined): (check: object) => boolean {
  return source === undefined ? () => true : compileFilter(source, FILTER_FIELDS.check);
}
