import type { CatalogueUpdate, ServiceSummary } from '../ports/catalogue.ts';
import { type Instance, type InstanceRef, type ServiceView, toServiceView } from './instance.ts';
import type { StoredRoute } from './route.ts';
import { type ServiceKey, serviceId } from './service.ts';
import type { StoredTrafficPolicy } from './traffic-policy.ts';

/** What a copy of a catalogue knows at one moment. */
export interface CatalogueState {
  revision: number;
  readonly views: Map<string, ServiceView>;
  /** Keyed `namespace/id`. */
  readonly instances: Map<string, Instance>;
  routes: readonly StoredRoute[];
  policies: readonly StoredTrafficPolicy[];
}

/** Nothing known. */
export function emptyCatalogue(): CatalogueState {
  return { revision: 0, views: new Map(), instances: new Map(), routes: [], policies: [] };
}

/** Puts a whole view in the place of the service's last one. */
export function putCatalogueView(state: CatalogueState, view: ServiceView): void {
  const id = serviceId(view.service);
  for (const old of state.views.get(id)?.instances ?? []) state.instances.delete(refKey(old));
  if (view.count === 0) state.views.delete(id);
  else state.views.set(id, view);
  for (const instance of view.instances) state.instances.set(refKey(instance), instance);
  state.revision = Math.max(state.revision, view.revision);
}

/** What subscribers of `before` have to be told so that they know `after`. */
export function catalogueDifference(
  before: CatalogueState,
  after: CatalogueState,
): CatalogueUpdate {
  const views: ServiceView[] = [];
  for (const [id, view] of after.views) {
    const old = before.views.get(id);
    if (!old || old.revision !== view.revision || !sameRoutability(old, view)) views.push(view);
  }
  for (const [id, view] of before.views) {
    if (after.views.has(id)) continue;
    views.push(toServiceView(view.service, after.revision, []));
  }
  const sameRoutes = sameDocuments(before.routes, after.routes, (route) => route.name);
  const samePolicies = sameDocuments(before.policies, after.policies, policyName);
  return {
    revision: after.revision,
    views,
    ...(sameRoutes ? {} : { routes: after.routes }),
    ...(samePolicies ? {} : { policies: after.policies }),
  };
}

function policyName(policy: StoredTrafficPolicy): string {
  return serviceId({ namespace: policy.namespace, group: policy.group, name: policy.service });
}

interface StoredDocument {
  readonly namespace: string;
  readonly createRevision: number;
  readonly modifyRevision: number;
}

function sameDocuments<D extends StoredDocument>(
  before: readonly D[],
  after: readonly D[],
  nameOf: (document: D) => string,
): boolean {
  return (
    before.length === after.length &&
    before.every((document, index) => {
      const other = after[index];
      return (
        other !== undefined &&
        nameOf(document) === nameOf(other) &&
        document.namespace === other.namespace &&
        document.createRevision === other.createRevision &&
        document.modifyRevision === other.modifyRevision
      );
    })
  );
}

/** A registry that lost its data may give an old revision to another content. */
function sameRoutability(a: ServiceView, b: ServiceView): boolean {
  return (
    a.instances.length === b.instances.length &&
    a.instances.every((instance, index) => {
      const other = b.instances[index];
      return (
        instance.id === other?.id &&
        instance.address === other.address &&
        instance.port === other.port &&
        instance.modifyRevision === other.modifyRevision &&
        instance.routable === other.routable
      );
    })
  );
}

/** The services as a `CatalogueReader` lists them. */
export function summariseCatalogue(
  state: CatalogueState,
  namespace?: string,
): readonly ServiceSummary[] {
  const summaries: ServiceSummary[] = [];
  for (const view of state.views.values()) {
    if (namespace !== undefined && view.service.namespace !== namespace) continue;
    summaries.push({
      service: view.service,
      revision: view.revision,
      instances: view.count,
      routable: view.instances.filter((instance) => instance.routable).length,
      protected: view.protection !== undefined,
      exclusive: view.exclusive !== undefined,
    });
  }
  return summaries;
}

/** The instance of that id, if it is known. */
export function findCatalogueInstance(
  state: CatalogueState,
  ref: InstanceRef,
): Instance | undefined {
  return state.instances.get(`${ref.namespace}/${ref.id}`);
}

function refKey(instance: { readonly service: ServiceKey; readonly id: string }): string {
  return `${instance.service.namespace}/${instance.id}`;
}
