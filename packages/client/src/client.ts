import { type Clock, type Logger, NO_LOGGER, type Random } from '@portolan/core';
import { createDiscovery, type DiscoverOptions, type Discovery } from './discover/discovery.ts';
import { PortolanError } from './http/portolan-error.ts';
import {
  type CallOptions,
  createTransport,
  type FetchFunction,
  type Query,
  type Transport,
} from './http/transport.ts';
import {
  createRegistrationHandle,
  type RegisterOptions,
  type RegistrationHandle,
} from './register/registration-handle.ts';
import { openEventStream } from './sse/event-stream.ts';
import type { SseEvent } from './sse/sse-parser.ts';
import { systemClock } from './time/system-clock.ts';
import type {
  BatchAnswerItem,
  EventDocument,
  HeartbeatAnswer,
  HeartbeatBody,
  InstanceDocument,
  InstanceFilter,
  RegisterAnswer,
  RegistrationBody,
  RouteBody,
  RouteDocument,
  ServiceDocument,
  StatusDocument,
  ViewDocument,
} from './wire/documents.ts';

export interface ClientOptions {
  /** Control port, `http://127.0.0.1:8500` by default. */
  readonly url?: string;
  /** Several control ports, tried in order. */
  readonly urls?: readonly string[];
  /** Default `default`. */
  readonly namespace?: string;
  /** For each call and address. Default 5 s. */
  readonly timeoutMs?: number;
}

export interface ClientDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly fetch: FetchFunction;
}

/** Narrows or overrides one call. */
export interface CallScope {
  readonly namespace?: string;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/** Revision for compare-and-swap: a number must be the present one, `'absent'` means "must not exist". */
export type IfRevision = number | 'absent';

export interface StreamOptions extends CallScope {
  /** Resume after this revision. */
  readonly from?: number;
  readonly query?: Query;
  /** Called when the connection stands, before the first event. */
  readonly onOpen?: () => void;
}

export type PortolanClient = ReturnType<typeof createClient>;

const IDLE_TIMEOUT_MS = 45_000;

/** Talks to a registry: one method for every call of the native API, plus `register` and `discover`. */
export function createClient(options: ClientOptions = {}, deps: Partial<ClientDeps> = {}) {
  const { clock = systemClock, random = Math.random, logger = NO_LOGGER } = deps;
  const namespace = options.namespace ?? 'default';
  const transport: Transport = createTransport(
    {
      urls: options.urls ?? [options.url ?? 'http://127.0.0.1:8500'],
      timeoutMs: options.timeoutMs ?? 5_000,
      answerLimitBytes: 256 * 1024 * 1024,
    },
    { clock, fetch: deps.fetch ?? ((url, init) => fetch(url, init)) },
  );

  async function call<T>(
    method: string,
    path: string,
    scope: CallScope = {},
    rest: Pick<CallOptions, 'query' | 'body' | 'headers'> = {},
  ): Promise<T> {
    const answer = await transport.call(method, `/api/v1${path}`, {
      ...rest,
      query: { namespace: scope.namespace ?? namespace, ...rest.query },
      ...(scope.signal ? { signal: scope.signal } : {}),
      ...(scope.timeoutMs === undefined ? {} : { timeoutMs: scope.timeoutMs }),
    });
    if (answer.status === 204) return {} as T;
    if (typeof answer.body !== 'object' || answer.body === null) {
      throw new PortolanError(
        'ANSWER_INVALID',
        `${method} ${path} was answered without an object.`,
        {
          status: answer.status,
        },
      );
    }
    return answer.body as T;
  }

  async function callForList<T>(member: string, path: string, scope?: CallScope, query?: Query) {
    const body = await call<Record<string, unknown>>('GET', path, scope, query ? { query } : {});
    if (!Array.isArray(body[member])) {
      throw new PortolanError('ANSWER_INVALID', `GET ${path} was answered without "${member}".`, {
        status: 200,
      });
    }
    return body[member] as readonly T[];
  }

  function stream(path: string, scope: StreamOptions): AsyncGenerator<SseEvent, void, void> {
    return openEventStream(
      {
        path: `/api/v1${path}`,
        query: { namespace: scope.namespace ?? namespace, from: scope.from, ...scope.query },
        signal: scope.signal ?? new AbortController().signal,
        idleTimeoutMs: IDLE_TIMEOUT_MS,
        ...(scope.onOpen ? { onOpen: scope.onOpen } : {}),
      },
      { transport, clock },
    );
  }

  const instancePath = (id: string) => `/instances/${encodeURIComponent(id)}`;
  const routePath = (name: string) => `/routes/${encodeURIComponent(name)}`;
  const servicePath = (name: string) => `/services/${encodeURIComponent(name)}/instances`;

  const instances = {
    register: (body: RegistrationBody, scope?: CallScope) =>
      call<RegisterAnswer>('POST', '/instances', scope, {
        body: { namespace: scope?.namespace ?? namespace, ...body },
      }),
    registerBatch: (bodies: readonly RegistrationBody[], scope?: CallScope) =>
      call<{ readonly results: readonly BatchAnswerItem[]; readonly failed: number }>(
        'POST',
        '/instances/batch',
        scope,
        { body: { instances: bodies.map((body) => ({ namespace, ...body })) } },
      ),
    list: (filter?: InstanceFilter & { readonly service?: string }, scope?: CallScope) =>
      callForList<InstanceDocument>('instances', '/instances', scope, {
        ...toFilterQuery(filter),
        service: filter?.service,
      }),
    get: (id: string, scope?: CallScope) => call<InstanceDocument>('GET', instancePath(id), scope),
    patch: (
      id: string,
      patch: {
        readonly tags?: readonly string[];
        readonly metadata?: Readonly<Record<string, string | null>>;
        readonly weight?: number;
      },
      scope?: CallScope,
    ) => call<InstanceDocument>('PATCH', instancePath(id), scope, { body: patch }),
    deregister: (id: string, scope?: CallScope) =>
      call<{ readonly deregistered: InstanceDocument }>('DELETE', instancePath(id), scope),
    heartbeat: (id: string, body?: HeartbeatBody, scope?: CallScope) =>
      call<HeartbeatAnswer>('PUT', `${instancePath(id)}/heartbeat`, scope, body ? { body } : {}),
    /** Renews many leases with one call. */
    renew: (ids: readonly string[], scope?: CallScope) =>
      call<{ readonly renewed: number; readonly unknown: readonly string[] }>(
        'POST',
        '/instances/heartbeat',
        scope,
        { body: { ids } },
      ),
    enable: (id: string, scope?: CallScope) =>
      call<InstanceDocument>('POST', `${instancePath(id)}/enable`, scope),
    disable: (id: string, scope?: CallScope) =>
      call<InstanceDocument>('POST', `${instancePath(id)}/disable`, scope),
    maintenance: (
      id: string,
      body: { readonly enable: boolean; readonly reason?: string },
      scope?: CallScope,
    ) => call<InstanceDocument>('POST', `${instancePath(id)}/maintenance`, scope, { body }),
    setIntent: (
      id: string,
      body: {
        readonly enabled?: boolean;
        readonly weight?: number | null;
        readonly maintenance?: { readonly reason: string } | null;
      },
      scope?: CallScope,
    ) => call<InstanceDocument>('PUT', `${instancePath(id)}/intent`, scope, { body }),
    resetIntent: (id: string, scope?: CallScope) =>
      call<InstanceDocument>('DELETE', `${instancePath(id)}/intent`, scope),
  };

  const services = {
    list: (scope?: CallScope) => callForList<ServiceDocument>('services', '/services', scope),
    view: (name: string, filter?: InstanceFilter, scope?: CallScope) =>
      call<ViewDocument>('GET', servicePath(name), scope, { query: toFilterQuery(filter) }),
    /** Answers when the view's revision is greater than `index`, or after `waitMs` with the present view. */
    wait: (
      name: string,
      query: { readonly index: number; readonly waitMs: number; readonly group?: string },
      scope: CallScope = {},
    ) =>
      call<ViewDocument>(
        'GET',
        servicePath(name),
        { ...scope, timeoutMs: query.waitMs + (scope.timeoutMs ?? 10_000) },
        { query: { index: query.index, wait: `${query.waitMs}ms`, group: query.group } },
      ),
    /** `view` events of one service. */
    stream: (name: string, scope: StreamOptions = {}) => stream(servicePath(name), scope),
  };

  const routes = {
    list: (scope?: CallScope) => callForList<RouteDocument>('routes', '/routes', scope),
    get: (name: string, scope?: CallScope) => call<RouteDocument>('GET', routePath(name), scope),
    put: (name: string, body: RouteBody, scope?: CallScope & { readonly if?: IfRevision }) =>
      call<RouteDocument>('PUT', routePath(name), scope, {
        body,
        ...(scope?.if === undefined ? {} : { headers: toCondition(scope.if) }),
      }),
    delete: (name: string, scope?: CallScope & { readonly if?: IfRevision }) =>
      call<Readonly<Record<string, unknown>>>('DELETE', routePath(name), scope, {
        ...(scope?.if === undefined ? {} : { headers: toCondition(scope.if) }),
      }),
    /** In the order of the destinations, or by the `version` of their labels. */
    setWeights: (
      name: string,
      weights: readonly number[] | Readonly<Record<string, number>>,
      scope?: CallScope,
    ) => call<RouteDocument>('PUT', `${routePath(name)}/weights`, scope, { body: { weights } }),
  };

  const namespaces = {
    list: (scope?: CallScope) =>
      callForList<{
        readonly name: string;
        readonly services: number;
        readonly instances: number;
      }>('namespaces', '/namespaces', scope),
    put: (name: string, scope?: CallScope) =>
      call<Readonly<Record<string, unknown>>>(
        'PUT',
        `/namespaces/${encodeURIComponent(name)}`,
        scope,
      ),
    delete: (name: string, scope?: CallScope) =>
      call<Readonly<Record<string, unknown>>>(
        'DELETE',
        `/namespaces/${encodeURIComponent(name)}`,
        scope,
      ),
  };

  const shared = { transport, clock, random, logger };
  return {
    namespace,
    urls: transport.urls,
    instances,
    services,
    routes,
    namespaces,
    status: (scope?: CallScope) => call<StatusDocument>('GET', '/status', scope),
    /** The bounded window of past changes. */
    events: (query: Query & { readonly from?: number } = {}, scope?: CallScope) =>
      call<{
        readonly events: readonly EventDocument[];
        readonly revision: number;
        readonly horizon: number;
      }>('GET', '/events', scope, { query }),
    /** Changes as they happen; ends with an error when the connection breaks. */
    streamEvents: (scope: StreamOptions = {}) => stream('/events', scope),
    /** Everything a mirror needs, as it changes. */
    streamWatch: (scope: StreamOptions = {}) => stream('/watch', scope),
    /** Keeps an instance registered until closed. */
    register: (body: RegistrationBody, registerOptions?: RegisterOptions): RegistrationHandle =>
      createRegistrationHandle({ namespace, ...body }, registerOptions ?? {}, {
        ...shared,
        instances,
      }),
    /** Keeps a service's instances at hand until closed. */
    discover: (service: string, discoverOptions?: DiscoverOptions): Discovery =>
      createDiscovery(service, { namespace, ...discoverOptions }, { ...shared, services }),
  };
}

function toFilterQuery(filter: InstanceFilter = {}): Query {
  const query: Record<string, string | boolean | undefined> = {
    status: filter.status,
    tag: filter.tag,
    zone: filter.zone,
    group: filter.group,
    routable: filter.routable,
  };
  for (const [key, value] of Object.entries(filter.metadata ?? {}))
    query[`metadata.${key}`] = value;
  return query;
}

function toCondition(revision: IfRevision): Record<string, string> {
  return revision === 'absent' ? { 'if-none-match': '*' } : { 'if-match': `"${revision}"` };
}
