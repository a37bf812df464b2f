import { type Clock, type Logger, NO_LOGGER, type Random } from '@portolan/core';
import type { DialAgent } from './agent/agent-socket.ts';
import { canDialAgents, createAgentDialler } from './agent/dial-agent.ts';
import { createStreamedInstances } from './agent/streamed-instances.ts';
import { createApplyCall } from './calls/apply-calls.ts';
import { type CallScope, createCaller, type StreamOptions } from './calls/caller.ts';
import { createContainerCalls } from './calls/container-calls.ts';
import { createInstanceCalls } from './calls/instance-calls.ts';
import { createNamespaceCalls } from './calls/namespace-calls.ts';
import { createPolicyCalls } from './calls/policy-calls.ts';
import { createRouteCalls } from './calls/route-calls.ts';
import { createServiceCalls } from './calls/service-calls.ts';
import { createSnapshotCalls } from './calls/snapshot-calls.ts';
import { createWebhookCalls } from './calls/webhook-calls.ts';
import { createDiscovery, type DiscoverOptions, type Discovery } from './discover/discovery.ts';
import { createTransport, type FetchFunction, type Query } from './http/transport.ts';
import {
  createRegistrationHandle,
  type RegisterOptions,
  type RegistrationHandle,
} from './register/registration-handle.ts';
import { systemClock } from './time/system-clock.ts';
import type { EventDocument, RegistrationBody, StatusDocument } from './wire/documents.ts';

export interface ClientOptions {
  /** Control port, `http://127.0.0.1:8500` by default. */
  readonly url?: string;
  /** Several control ports, tried in order. */
  readonly urls?: readonly string[];
  /** Default `default`. */
  readonly namespace?: string;
  /** For each call and address. Default 5 s. */
  readonly timeoutMs?: number;
  /**
   * Whether registrations share one connection (the agent protocol), with plain HTTP where it is not spoken. Default true;
   * never in browsers, nor with a `fetch` of your own.
   */
  readonly stream?: boolean;
}

export interface ClientDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly fetch: FetchFunction;
  /** Makes the connections of the agent protocol. */
  readonly dial: DialAgent;
}

export type PortolanClient = ReturnType<typeof createClient>;

const ANSWER_LIMIT_BYTES = 256 * 1024 * 1024;

/** Talks to a registry: one method for every call of the native API, plus `register` and `discover`. */
export function createClient(options: ClientOptions = {}, deps: Partial<ClientDeps> = {}) {
  const { clock = systemClock, random = Math.random, logger = NO_LOGGER } = deps;
  const namespace = options.namespace ?? 'default';
  const transport = createTransport(
    {
      urls: options.urls ?? [options.url ?? 'http://127.0.0.1:8500'],
      timeoutMs: options.timeoutMs ?? 5_000,
      answerLimitBytes: ANSWER_LIMIT_BYTES,
    },
    { clock, fetch: deps.fetch ?? ((url, init) => fetch(url, init)) },
  );
  const caller = createCaller(namespace, { transport, clock });
  const instances = createInstanceCalls(namespace, caller);
  const services = createServiceCalls(caller);
  const shared = { clock, random, logger };
  const dial =
    deps.dial ?? (deps.fetch || !canDialAgents() ? undefined : createAgentDialler(clock));
  const registrations =
    dial && options.stream !== false
      ? createStreamedInstances(
          { urls: transport.urls, namespace, timeoutMs: options.timeoutMs ?? 5_000 },
          { ...shared, plain: instances, dial },
        )
      : instances;

  return {
    namespace,
    urls: transport.urls,
    instances,
    services,
    routes: createRouteCalls(caller),
    policies: createPolicyCalls(caller),
    /** Writes and deletes all of them in one commit, or none. */
    apply: createApplyCall(caller),
    /** Containers of the Docker Engine that the registry follows. */
    containers: createContainerCalls(caller),
    namespaces: createNamespaceCalls(caller),
    webhooks: createWebhookCalls(caller),
    snapshot: createSnapshotCalls(caller),
    status: (scope?: CallScope) =>
      caller.call<StatusDocument>('GET', '/status', { scope, reach: 'server' }),
    /** The bounded window of past changes. */
    events: (query: Query & { readonly from?: number } = {}, scope?: CallScope) =>
      caller.call<{
        readonly events: readonly EventDocument[];
        readonly revision: number;
        readonly horizon: number;
      }>('GET', '/events', { scope, reach: 'group', query }),
    /** Changes as they happen; ends with an error when the connection breaks. */
    streamEvents: (scope: StreamOptions = {}) => caller.stream('/events', scope),
    /** Everything a mirror needs, as it changes. */
    streamWatch: (scope: StreamOptions = {}) => caller.stream('/watch', scope),
    /** Keeps an instance registered until closed. */
    register: (body: RegistrationBody, registerOptions?: RegisterOptions): RegistrationHandle =>
      createRegistrationHandle({ namespace, ...body }, registerOptions ?? {}, {
        ...shared,
        instances: registrations,
      }),
    /** Keeps a service's instances at hand until closed. */
    discover: (service: string, discoverOptions?: DiscoverOptions): Discovery =>
      createDiscovery(service, { namespace, ...discoverOptions }, { ...shared, services }),
  };
}
