import {
  type CatalogueReader,
  type CatalogueState,
  type CatalogueUpdate,
  type Clock,
  catalogueDifference,
  emptyCatalogue,
  findCatalogueInstance,
  type Logger,
  NO_LOGGER,
  putCatalogueView,
  type Random,
  type ServiceView,
  serviceId,
  summariseCatalogue,
  toServiceView,
} from '@portolan/core';
import { parseData, toPortolanError } from '../discover/view-follower.ts';
import { createSnapshotFile } from '../disk/snapshot-file.ts';
import { PortolanError } from '../http/portolan-error.ts';
import { createTransport, type FetchFunction } from '../http/transport.ts';
import { openEventStream } from '../sse/event-stream.ts';
import type { SseEvent } from '../sse/sse-parser.ts';
import { retryDelayMs, wait } from '../time/backoff.ts';
import { systemClock } from '../time/system-clock.ts';
import { fromViewDocument } from '../wire/from-wire.ts';
import { fromPolicyDocument, fromRouteDocument } from '../wire/route-from-wire.ts';
import { WireReader } from '../wire/wire-reader.ts';
import { parseSnapshot, type SnapshotDocuments, toSnapshot } from './mirror-snapshot.ts';

export interface RemoteCatalogueOptions {
  readonly url?: string;
  /** Several control ports, tried in order. */
  readonly urls?: readonly string[];
  /** Absent: all. */
  readonly namespace?: string;
  /** File for a copy on disk, read at a start without a registry. */
  readonly snapshotPath?: string;
  readonly timeoutMs?: number;
  readonly retry?: { readonly baseMs: number; readonly capMs: number };
  /**
   * When the registry comes back with an older revision than it had, it has lost data: services that it does not know
   * (yet) keep their last instances for this long, so that these can register again. Default 90 s.
   */
  readonly dataLossGraceMs?: number;
}

export interface RemoteCatalogueDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly fetch: FetchFunction;
}

/** A mirror of a registry elsewhere: the same reads, from memory, also while the registry is away. */
export interface RemoteCatalogue extends CatalogueReader {
  /** Resolves with the first state, from the registry or from disk; rejects only when closed before. */
  readonly ready: Promise<void>;
  /** The registry does not answer, or has not finished telling us its state. */
  readonly stale: boolean;
  close(): Promise<void>;
}

/** Mirrors `GET /api/v1/watch`. Broken connections and unfinished syncs never change what readers see. */
export function createRemoteCatalogue(
  options: RemoteCatalogueOptions,
  deps: Partial<RemoteCatalogueDeps> = {},
): RemoteCatalogue {
  const { clock = systemClock, random = Math.random, logger = NO_LOGGER } = deps;
  const retry = options.retry ?? { baseMs: 200, capMs: 5_000 };
  const graceMs = options.dataLossGraceMs ?? 90_000;
  const transport = createTransport(
    {
      urls: options.urls ?? [options.url ?? 'http://127.0.0.1:8500'],
      timeoutMs: options.timeoutMs ?? 5_000,
      answerLimitBytes: 256 * 1024 * 1024,
    },
    { clock, fetch: deps.fetch ?? ((url, init) => fetch(url, init)) },
  );
  const file =
    options.snapshotPath === undefined
      ? undefined
      : createSnapshotFile({ path: options.snapshotPath, minIntervalMs: 1_000 }, { clock, logger });
  const closing = new AbortController();
  const listeners = new Set<(update: CatalogueUpdate) => void>();
  const serviceListeners = new Map<string, Set<(view: ServiceView) => void>>();

  let state: CatalogueState = emptyCatalogue();
  let documents: SnapshotDocuments = { views: new Map(), routes: [], policies: [] };
  /** Services kept although a registry that lost data does not know them; until the grace ends. */
  const kept = new Set<string>();
  let graceTimer: { cancel(): void } | undefined;
  /** Where to resume; undefined asks for everything. */
  let resumeFrom: number | undefined;
  let stale = true;
  let resolveReady: () => void;
  let rejectReady: (error: PortolanError) => void;
  const ready = new Promise<void>((resolve, reject) => {
    resolveReady = resolve;
    rejectReady = reject;
  });
  ready.catch(() => undefined);

  function publish(update: CatalogueUpdate): void {
    if (update.views.length === 0 && !update.routes && !update.policies) return;
    for (const listener of listeners) listener(update);
    for (const view of update.views) {
      for (const listener of serviceListeners.get(serviceId(view.service)) ?? []) listener(view);
    }
  }

  function replaceState(next: CatalogueState, nextDocuments: SnapshotDocuments): void {
    const update = catalogueDifference(state, next);
    state = next;
    documents = nextDocuments;
    publish(update);
  }

  function keepLostServices(next: CatalogueState, nextDocuments: SnapshotDocuments): void {
    graceTimer?.cancel();
    kept.clear();
    if (state.revision <= next.revision) return;
    for (const [id, view] of state.views) {
      if (next.views.has(id)) continue;
      kept.add(id);
      const revision = next.revision;
      putCatalogueView(next, { ...view, revision: 0 });
      next.revision = revision;
      const document = documents.views.get(id);
      if (document !== undefined) nextDocuments.views.set(id, document);
    }
    if (next.routes.length === 0) {
      next.routes = state.routes;
      nextDocuments.routes = documents.routes;
    }
    if (next.policies.length === 0) {
      next.policies = state.policies;
      nextDocuments.policies = documents.policies;
    }
    logger.error(
      { had: state.revision, has: next.revision, kept: kept.size, graceMs },
      'the registry came back with an older revision: it lost data, unknown services are kept for a while',
    );
    graceTimer = clock.setTimer(graceMs, dropKept);
  }

  function dropKept(): void {
    const views = [...kept].flatMap((id) => state.views.get(id) ?? []);
    kept.clear();
    const empty = views.map((view) => toServiceView(view.service, state.revision, []));
    for (const view of empty) putCatalogueView(state, view);
    for (const view of views) documents.views.delete(serviceId(view.service));
    publish({ revision: state.revision, views: empty });
    save();
  }

  function save(): void {
    file?.save(() => toSnapshot(state.revision, documents, clock.wallNow()));
  }

  /** Handles the events of one connection; a sync in the making lives and dies with it. */
  function createReceiver(): (event: SseEvent) => void {
    let aside: { state: CatalogueState; documents: SnapshotDocuments } | undefined;
    let synced = false;

    function onView(document: unknown): void {
      const view = fromViewDocument(document);
      const id = serviceId(view.service);
      const target = aside ?? { state, documents };
      putCatalogueView(target.state, view);
      if (view.count > 0) target.documents.views.set(id, document);
      else target.documents.views.delete(id);
      if (aside) return;
      kept.delete(id);
      if (synced) resumeFrom = Math.max(resumeFrom ?? 0, view.revision);
      publish({ revision: state.revision, views: [view] });
      save();
    }

    function onRoutes(document: unknown): void {
      const reader = new WireReader(document);
      const routes = reader.list('routes', fromRouteDocument);
      const raw = (document as { routes: readonly unknown[] }).routes;
      if (aside) {
        aside.state.routes = routes;
        aside.documents.routes = raw;
        return;
      }
      const update = catalogueDifference(state, { ...state, routes });
      state.routes = routes;
      documents.routes = raw;
      for (const route of routes) state.revision = Math.max(state.revision, route.modifyRevision);
      publish({ ...update, revision: state.revision });
      save();
    }

    function onPolicies(document: unknown): void {
      const reader = new WireReader(document);
      const policies = reader.list('policies', fromPolicyDocument);
      const raw = (document as { policies: readonly unknown[] }).policies;
      if (aside) {
        aside.state.policies = policies;
        aside.documents.policies = raw;
        return;
      }
      const update = catalogueDifference(state, { ...state, policies });
      state.policies = policies;
      documents.policies = raw;
      for (const policy of policies) {
        state.revision = Math.max(state.revision, policy.modifyRevision);
      }
      publish({ ...update, revision: state.revision });
      save();
    }

    function onReady(revision: number): void {
      if (aside) {
        aside.state.revision = revision;
        keepLostServices(aside.state, aside.documents);
        replaceState(aside.state, aside.documents);
        aside = undefined;
      } else state.revision = Math.max(state.revision, revision);
      synced = true;
      resumeFrom = revision;
      stale = false;
      save();
      resolveReady();
    }

    return (event) => {
      if (event.type === 'compacted') {
        resumeFrom = undefined;
        throw new PortolanError('REVISION_COMPACTED', 'The mirror fell too far behind.', {
          status: 410,
          retryable: true,
        });
      }
      const document = parseData(event);
      if (event.type === 'view') onView(document);
      else if (event.type === 'routes') onRoutes(document);
      else if (event.type === 'policies') onPolicies(document);
      else if (event.type === 'ready') onReady(new WireReader(document).number('revision'));
      else if (event.type === 'sync' && new WireReader(document).boolean('full')) {
        aside = {
          state: emptyCatalogue(),
          documents: { views: new Map(), routes: [], policies: [] },
        };
      }
    };
  }

  async function connectOnce(): Promise<void> {
    const receive = createReceiver();
    const stream = openEventStream(
      {
        path: '/api/v1/watch',
        query: { from: resumeFrom, namespace: options.namespace },
        signal: closing.signal,
        idleTimeoutMs: 45_000,
      },
      { transport, clock },
    );
    for await (const event of stream) receive(event);
  }

  async function run(): Promise<void> {
    await loadSnapshot();
    for (let failures = 0; !closing.signal.aborted; failures++) {
      const wasStale = stale;
      let retryAfterMs: number | undefined;
      try {
        await connectOnce();
        logger.debug({}, 'the registry ended the stream');
      } catch (cause) {
        if (closing.signal.aborted) return;
        const error = toPortolanError(cause);
        retryAfterMs = error.retryAfterMs;
        // Whatever the registry refuses about our revision, or sends that we cannot read, is read anew.
        if (error.status >= 200 && error.status !== 429) resumeFrom = undefined;
        if (!wasStale || failures === 0) {
          logger.warn(
            { code: error.code },
            `mirror: ${error.message} Serving the last known state.`,
          );
        }
      }
      if (!stale) failures = 0;
      stale = true;
      await wait(retryDelayMs(failures, retry, random, retryAfterMs), clock, closing.signal);
    }
  }

  async function loadSnapshot(): Promise<void> {
    const stored = await file?.load();
    if (stored === undefined || closing.signal.aborted) return;
    try {
      const snapshot = parseSnapshot(stored);
      replaceState(snapshot.state, snapshot.documents);
      logger.info(
        { revision: state.revision },
        'serving from the snapshot until a registry answers',
      );
      resolveReady();
    } catch (error) {
      logger.warn({ err: error }, 'the snapshot on disk is not usable and is ignored');
    }
  }

  const running = run();
  return {
    get revision() {
      return state.revision;
    },
    get stale() {
      return stale;
    },
    ready,
    services: (namespace) => summariseCatalogue(state, namespace),
    view: (service) => state.views.get(serviceId(service)),
    instance: (ref) => findCatalogueInstance(state, ref),
    routes: () => state.routes,
    policies: () => state.policies,
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    subscribeService(service, listener) {
      const id = serviceId(service);
      const own = serviceListeners.get(id) ?? new Set();
      serviceListeners.set(id, own.add(listener));
      return () => {
        own.delete(listener);
        if (own.size === 0 && serviceListeners.get(id) === own) serviceListeners.delete(id);
      };
    },
    async close() {
      closing.abort();
      graceTimer?.cancel();
      rejectReady(new PortolanError('ABORTED', 'The mirror was closed.', { status: 0 }));
      await running;
      await file?.close();
    },
  };
}
