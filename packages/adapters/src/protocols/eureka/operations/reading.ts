import type { ControlReply, ControlRequest, Instance, ServiceView } from '@portolan/core';
import {
  type AnswerForm,
  answerWith,
  applicationDocument,
  applicationsDocument,
  formOf,
  otherTurns,
} from '../answer.ts';
import { findInstance, findInstanceAnywhere, toAppName } from '../app-name.ts';
import type { RecentChange } from '../delta-window.ts';
import type { EurekaContext, EurekaOperation } from '../eureka-context.ts';
import { eurekaText } from '../eureka-error.ts';
import { toEurekaInstance } from '../from-instance.ts';
import { appsHashCode, hashOfInstances } from '../status-counts.ts';

const NOT_FOUND = eurekaText(404, '');
/** Written and kept together; also how many are looked at before others get their turn. */
const SLICE_INSTANCES = 500;

/** What clients and people read: everything, what changed lately, one app, one instance, one vip. */
export function readingOperations(context: EurekaContext): EurekaOperation[] {
  const { registry, namespace } = context;

  const get = (
    path: string,
    handle: (
      request: ControlRequest,
      name: string,
      id: string,
    ) => Promise<ControlReply> | ControlReply,
  ): EurekaOperation => ({
    method: 'GET',
    path,
    handle: (request, params) => handle(request, params.name ?? '', params.id ?? ''),
  });
  const one = async (request: ControlRequest, instance: Instance | undefined) => {
    if (!instance) return NOT_FOUND;
    const form = formOf(request);
    const text = form.instance(toEurekaInstance(instance, context));
    return answerWith(context, request, form, [form.instanceDocument(text)]);
  };

  return [
    get('/apps', async (request) => {
      const form = formOf(request);
      // Views are immutable: taken in one turn they are the catalogue at one revision, however slowly they are sent.
      const apps = presentApps(context);
      const version = String(registry.revision);
      const hash = await appsHashCode(context.clock, viewsOf(apps));
      const pieces = applicationsDocument(form, { version, hash }, written(context, form, apps));
      return answerWith(context, request, form, pieces);
    }),
    get('/apps/delta', (request) => delta(context, request)),
    get('/apps/:name', (request, given) => {
      const name = given.toUpperCase();
      const views = presentApps(context).get(name);
      if (!views) return NOT_FOUND;
      const form = formOf(request);
      const pieces = applicationDocument(form, { name, pieces: exact(context, form, views) });
      return answerWith(context, request, form, pieces);
    }),
    get('/apps/:name/:id', (request, name, id) =>
      one(request, findInstance(registry, namespace, name, id)),
    ),
    get('/instances/:id', (request, _name, id) =>
      one(request, findInstanceAnywhere(registry, namespace, id)),
    ),
    get('/vips/:name', (request, name) => byVip(context, request, 'vipAddress', name)),
    get('/svips/:name', (request, name) => byVip(context, request, 'secureVipAddress', name)),
    get('/status', (request) => serverStatus(context, request)),
  ];
}

/** Views by app name, in the order of the names. Services whose names differ in case only are one app. */
function presentApps({ registry, namespace }: EurekaContext): Map<string, ServiceView[]> {
  const apps = new Map<string, ServiceView[]>();
  const named = registry
    .services(namespace)
    .map(({ service }) => ({ service, name: toAppName(service) }))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  for (const { service, name } of named) {
    const view = registry.view(service);
    if (!view || view.count === 0) continue;
    const present = apps.get(name);
    if (present) present.push(view);
    else apps.set(name, [view]);
  }
  return apps;
}

function* viewsOf(apps: ReadonlyMap<string, readonly ServiceView[]>): Generator<ServiceView> {
  for (const views of apps.values()) yield* views;
}

function* written(
  context: EurekaContext,
  form: AnswerForm,
  apps: ReadonlyMap<string, readonly ServiceView[]>,
) {
  for (const [name, views] of apps) yield { name, pieces: kept(context, form, views) };
}

/** Slices of the views, as they were written before where that is still at hand. */
function* kept(
  context: EurekaContext,
  form: AnswerForm,
  views: readonly ServiceView[],
): Generator<string> {
  for (const view of views) {
    for (let from = 0; from < view.count; from += SLICE_INSTANCES) {
      yield context.texts.of(view, `${form.variant} ${from}`, ({ instances }) =>
        instances
          .slice(from, from + SLICE_INSTANCES)
          .map((each) => form.instance(toEurekaInstance(each, context)))
          .join(form.separator),
      );
    }
  }
}

/** Instance by instance, with the last renewal of each. */
function* exact(
  context: EurekaContext,
  form: AnswerForm,
  views: readonly ServiceView[],
): Generator<string> {
  for (const view of views) {
    for (const each of view.instances) yield form.instance(toEurekaInstance(each, context));
  }
}

/** The hash is that of everything, so that a reader can tell whether what it has now is the same. */
async function delta(context: EurekaContext, request: ControlRequest): Promise<ControlReply> {
  const { registry, namespace, clock } = context;
  const changes = context.delta.changes(namespace);
  if (!changes) return eurekaText(403, 'More changed than a delta holds; fetch everything.');
  const views = viewsOf(presentApps(context));
  const version = String(registry.revision);
  const form = formOf(request);
  const apps = new Map<string, RecentChange[]>();
  for (const change of changes) {
    const name = toAppName(change.instance.service);
    const present = apps.get(name);
    if (present) present.push(change);
    else apps.set(name, [change]);
  }
  const applications = [...apps].map(([name, changed]) => ({
    name,
    pieces: changedPieces(context, form, changed),
  }));
  const hash = await appsHashCode(clock, views);
  const pieces = applicationsDocument(form, { version, hash }, applications);
  return answerWith(context, request, form, pieces);
}

function* changedPieces(
  context: EurekaContext,
  form: AnswerForm,
  changes: readonly RecentChange[],
): Generator<string> {
  for (const { instance, action } of changes) {
    yield form.instance({ ...toEurekaInstance(instance, context), actionType: action });
  }
}

async function byVip(
  context: EurekaContext,
  request: ControlRequest,
  field: 'vipAddress' | 'secureVipAddress',
  vip: string,
): Promise<ControlReply> {
  const form = formOf(request);
  const version = String(context.registry.revision);
  const wanted = vip.toLowerCase();
  const found: Instance[] = [];
  const applications: { name: string; pieces: string[] }[] = [];
  let looked = 0;
  for (const [name, views] of presentApps(context)) {
    const pieces: string[] = [];
    for (const view of views) {
      for (const instance of view.instances) {
        looked++;
        if (looked % SLICE_INSTANCES === 0) await otherTurns(context.clock);
        const info = toEurekaInstance(instance, context);
        if (!info[field].toLowerCase().split(',').includes(wanted)) continue;
        found.push(instance);
        pieces.push(form.instance(info));
      }
    }
    if (pieces.length > 0) applications.push({ name, pieces });
  }
  if (found.length === 0) return NOT_FOUND;
  const head = { version, hash: hashOfInstances(found) };
  return answerWith(context, request, form, applicationsDocument(form, head, applications));
}

/** Of Eureka's `StatusInfo` what is true here: there are no replicas to be out of step with. */
function serverStatus(context: EurekaContext, request: ControlRequest): Promise<ControlReply> {
  const form = formOf(request);
  const general = { 'server-kind': 'portolan', revision: String(context.registry.revision) };
  const replicas = {
    'registered-replicas': '',
    'available-replicas': '',
    'unavailable-replicas': '',
  };
  const text =
    form.contentType === 'application/json'
      ? JSON.stringify({ generalStats: general, applicationStats: replicas, isHealthy: true })
      : form.instanceDocument(statusXml(general, replicas));
  return answerWith(context, request, form, [text]);
}

function statusXml(...sections: readonly Readonly<Record<string, string>>[]): string {
  const [general, replicas] = sections.map((section) =>
    Object.entries(section)
      .map(([name, value]) => `<${name}>${value}</${name}>`)
      .join(''),
  );
  return `<com.netflix.eureka.util.StatusInfo><generalStats>${general}</generalStats><applicationStats>${replicas}</applicationStats><isHealthy>true</isHealthy></com.netflix.eureka.util.StatusInfo>`;
}
