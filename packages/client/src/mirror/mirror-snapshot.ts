import { type CatalogueState, emptyCatalogue, putCatalogueView, serviceId } from '@portolan/core';
import { fromViewDocument } from '../wire/from-wire.ts';
import { fromPolicyDocument, fromRouteDocument } from '../wire/route-from-wire.ts';
import { WireReader } from '../wire/wire-reader.ts';

/** The wire documents behind a state: what is written to disk is what the registry sent. */
export interface SnapshotDocuments {
  readonly views: Map<string, unknown>;
  routes: readonly unknown[];
  policies: readonly unknown[];
}

export function toSnapshot(
  revision: number,
  documents: SnapshotDocuments,
  savedAtMs: number,
): unknown {
  return {
    v: 1,
    savedAt: new Date(savedAtMs).toISOString(),
    revision,
    views: [...documents.views.values()],
    routes: documents.routes,
    policies: documents.policies,
  };
}

/** Throws when the document is not a whole snapshot. */
export function parseSnapshot(document: unknown): {
  readonly state: CatalogueState;
  readonly documents: SnapshotDocuments;
} {
  const reader = new WireReader(document);
  const state = emptyCatalogue();
  const documents: SnapshotDocuments = { views: new Map(), routes: [], policies: [] };
  for (const view of reader.list('views', fromViewDocument)) putCatalogueView(state, view);
  const raw = document as {
    readonly views: readonly unknown[];
    readonly routes: readonly unknown[];
    readonly policies?: readonly unknown[];
  };
  for (const item of raw.views) {
    documents.views.set(serviceId(fromViewDocument(item).service), item);
  }
  state.routes = reader.list('routes', fromRouteDocument);
  documents.routes = raw.routes;
  // A snapshot of an earlier release has none.
  state.policies =
    reader.optional('policies', () => reader.list('policies', fromPolicyDocument)) ?? [];
  documents.policies = raw.policies ?? [];
  state.revision = reader.number('revision');
  return { state, documents };
}
