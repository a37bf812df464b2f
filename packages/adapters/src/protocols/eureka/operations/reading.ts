import type { ControlReply, ControlRequest, Instance, ServiceView } from '@portolan/core';
import { type AnswerForm, answerWith, formOf } from '../answer.ts';
import { findInstance, findInstanceAnywhere, toAppName } from '../app-name.ts';
import type { EurekaContext, EurekaOperation } from '../eureka-context.ts';
import { eurekaText } from '../eureka-error.ts';
import { toEurekaInstance } from '../from-instance.ts';
import { appsHashCode, hashOfInstances } from '../status-counts.ts';

const NOT_FOUND = eurekaText(404, '');

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
    return answerWith(request, form, [form.instanceDocument(text)]);
  };

  return [
    get('/apps', (request) => {
      const form = formOf(request);
      const apps = presentApps(context);
      const head = { version: String(registry.revision), hash: appsHashCode(viewsOf(apps)) };
      return answerWith(
        request,
        form,
        form.applicationsDocument(head, written(context, form, apps)),
      );
    }),
    get('/apps/delta', (request) => delta(context, request)),
    get('/apps/:name', (request, name) => {
      const views = presentApps(context).get(name.toUpperCase());
      if (!views) return NOT_FOUND;
      const form = formOf(request);
      const texts = views.flatMap((view) =>
        view.instances.map((each) => form.instance(toEurekaInstance(each, context))),
      );
      const text = form.applicationDocument(name.toUpperCase(), texts.join(form.separator));
      return answerWith(request, form, [text]);
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
    if (!view || view.instances.length === 0) continue;
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
  const make = (view: ServiceView) =>
    view.instances
      .map((each) => form.instance(toEurekaInstance(each, context)))
      .join(form.separator);
  for (const [name, views] of apps) {
    const texts = views.map((view) => context.texts.of(view, form.variant, make));
    yield { name, instances: texts.join(form.separator) };
  }
}

/** The hash is that of everything, so that a reader can tell whether what it has now is the same. */
function delta(
  context: EurekaContext,
  request: ControlRequest,
): Promise<ControlReply> | ControlReply {
  const { registry, namespace } = context;
  const changes = context.delta.changes(namespace);
  if (!changes) return eurekaText(403, 'More changed than a delta holds; fetch everything.');
  const form = formOf(request);
  const apps = new Map<string, string[]>();
  for (const { instance, action } of changes) {
    const name = toAppName(instance.service);
    const text = form.instance({ ...toEurekaInstance(instance, context), actionType: action });
    const present = apps.get(name);
    if (present) present.push(text);
    else apps.set(name, [text]);
  }
  const head = {
    version: String(registry.revision),
    hash: appsHashCode(viewsOf(presentApps(context))),
  };
  const applications = [...apps].map(([name, texts]) => ({
    name,
    instances: texts.join(form.separator),
  }));
  return answerWith(request, form, form.applicationsDocument(head, applications));
}

function byVip(
  context: EurekaContext,
  request: ControlRequest,
  field: 'vipAddress' | 'secureVipAddress',
  vip: string,
): Promise<ControlReply> | ControlReply {
  const form = formOf(request);
  const wanted = vip.toLowerCase();
  const found: Instance[] = [];
  const applications: { name: string; instances: string }[] = [];
  for (const [name, views] of presentApps(context)) {
    const texts: string[] = [];
    for (const instance of views.flatMap((view) => view.instances)) {
      const info = toEurekaInstance(instance, context);
      if (!info[field].toLowerCase().split(',').includes(wanted)) continue;
      found.push(instance);
      texts.push(form.instance(info));
    }
    if (texts.length > 0) applications.push({ name, instances: texts.join(form.separator) });
  }
  if (found.length === 0) return NOT_FOUND;
  const head = { version: String(context.registry.revision), hash: hashOfInstances(found) };
  return answerWith(request, form, form.applicationsDocument(head, applications));
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
    form.separator === ','
      ? JSON.stringify({ generalStats: general, applicationStats: replicas, isHealthy: true })
      : form.instanceDocument(statusXml(general, replicas));
  return answerWith(request, form, [text]);
}

function statusXml(...sections: readonly Readonly<Record<string, string>>[]): string {
  const [general, replicas] = sections.map((section) =>
    Object.entries(section)
      .map(([name, value]) => `<${name}>${value}</${name}>`)
      .join(''),
  );
  return `<com.netflix.eureka.util.StatusInfo><generalStats>${general}</generalStats><applicationStats>${replicas}</applicationStats><isHealthy>true</isHealthy></com.netflix.eureka.util.StatusInfo>`;
}
