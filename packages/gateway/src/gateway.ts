import { randomBytes } from 'node:crypto';
import type {
  CatalogueUpdate,
  DestinationRef,
  ServiceKey,
  ServiceView,
  StoredRoute,
  StoredTrafficPolicy,
  TimerHandle,
} from '@portolan/core';
import { serviceId } from '@portolan/core';
import {
  ConnectionPool,
  createHttpServer,
  createTlsListener,
  type ServerExchange,
  TimerWheel,
  type TlsListener,
} from '@portolan/http';
import { answerChallenge, challengeToken } from './acme-challenge.ts';
import { explainRequest } from './explain/explain-request.ts';
import { createRouteFilters } from './filters/route-filters.ts';
import type { Gateway, GatewayDeps } from './gateway-api.ts';
import { createGatewayMetrics } from './gateway-metrics.ts';
import { compileGatewayOptions, type GatewayOptions } from './gateway-options.ts';
import { translateGrpcWeb } from './grpc-web/grpc-web-exchange.ts';
import { createOverloadGuard } from './overload/overload-guard.ts';
import { createAsker } from './proxy/ask-service.ts';
import { Deadlines } from './proxy/deadlines.ts';
import { Exchange } from './proxy/exchange.ts';
import { errorBody } from './proxy/gateway-errors.ts';
import { matchesAny } from './proxy/networks.ts';
import type { FoundRoute, ProxyContext } from './proxy/proxy-context.ts';
import { createRequestIds } from './proxy/request-id.ts';
import { createPeers } from './proxy/trusted-peers.ts';
import { type CompiledRoute, compileRoute, nameRoute } from './routing/compiled-route.ts';
import { matchedPathOf, type RouteQuery } from './routing/route-match.ts';
import { createRouteTable, type RouteTable } from './routing/route-table.ts';
import { createZeroConfigRoutes } from './routing/zero-config-routes.ts';
import { createTcpListeners } from './tcp/tcp-listeners.ts';
import { createEndpointTransports } from './transport/endpoint-transport.ts';
import type { Cluster } from './upstream/cluster.ts';
import { connectionLimits } from './upstream/cluster-settings.ts';
import { createDialledAddresses } from './upstream/dialled-addresses.ts';
import { createEndpointResolver } from './upstream/endpoint-resolver.ts';
import { createPolicyBook, transportPolicy } from './upstream/policy-book.ts';
import { createSessionTokens } from './upstream/session-tokens.ts';
import { createUpstream, type Upstream } from './upstream/upstream.ts';
import { createUpstreams } from './upstream/upstreams.ts';

const FIRST_RESOLVE_LIMIT_MS = 2_000;

/** Makes a gateway; it follows the catalogue from now on and serves once `listen` was called. */
export function createGateway(options: GatewayOptions, deps: GatewayDeps): Gateway {
  let compiled = compileGatewayOptions(options);
  let peerOf = createPeers(compiled.trustedProxies);
  const { catalogue, clock, random, logger } = deps;
  const wheel = new TimerWheel(clock);
  const pool = new ConnectionPool(compiled.pool, { clock, wheel });
  const addresses = createDialledAddresses((ip, unusedPort) => pool.forget(ip, unusedPort));
  const policies = createPolicyBook();
  const transports = createEndpointTransports({ logger });
  const resolver = createEndpointResolver(compiled.resolver, { ...deps, addresses });
  const upstreams = createUpstreams({
    create: (service) =>
      createUpstream(service, compiled, {
        clock,
        random,
        logger,
        onEndpointAdded: resolver.add,
        onEndpointGone: resolver.remove,
        place: compiled.place,
        policyOf: policies.of,
        transportOf(owner, instance) {
          const policy = policies.of(owner);
          const limits = connectionLimits(policy, instance.labels);
          return transports.of(transportPolicy(policy, instance.labels), instance, limits);
        },
        onTransportLeft(endpoint, left) {
          if (endpoint.ip === undefined) return;
          pool.forgetTransport(endpoint.ip, endpoint.port, left.requests);
          pool.forgetTransport(endpoint.ip, endpoint.port, left.upgrades);
        },
        onEjected: (ejecting) => metrics.ejections(ejecting.id).inc(),
        onEmpty: (empty) => upstreams.release(empty),
      }),
    view: (service) => catalogue.view(service),
  });
  const zeroConfig = createZeroConfigRoutes();
  const zeroConfigRoutes = new Map<string, CompiledRoute>();
  const nextRequestId = createRequestIds(random);
  const metrics = createGatewayMetrics(deps.metrics, {
    connections: () => server.connections,
    active: activeRequests,
  });
  const askedServices = new Map<
    string,
    { readonly upstream: Upstream; readonly cluster: Cluster }
  >();
  const filters = createRouteFilters({
    clock,
    random,
    askerOf: ({ service: ref }) => createAsker(context, () => askedTarget(ref)),
  });
  let table: RouteTable<CompiledRoute> = createRouteTable<CompiledRoute>([], toCompiled);
  /** The clusters of configured routes. */
  let usedByRoutes = new Set<Cluster>();
  let firstResolveLimit: TimerHandle | undefined;

  function activeRequests(): number {
    let active = 0;
    for (const upstream of upstreams.values()) active += upstream.active;
    return active;
  }

  /** Where a forward-auth asks; its cluster stays for as long as the table does. */
  function askedTarget(ref: DestinationRef) {
    const key = JSON.stringify(ref);
    let asked = askedServices.get(key);
    if (!asked) {
      const { namespace, group, service } = ref;
      const upstream = upstreams.of({ namespace, group, name: service });
      asked = {
        upstream,
        cluster: upstream.cluster({
          subset: ref.subset,
          subsetName: ref.subsetName,
          fallback: compiled.routeDefaults.balancer,
        }),
      };
      askedServices.set(key, asked);
    }
    return asked;
  }

  function toCompiled(route: StoredRoute): CompiledRoute {
    return compileRoute(route, {
      upstreamOf: ({ namespace, group, service }) =>
        upstreams.of({ namespace, group, name: service }),
      filtersOf: filters.of,
      metrics: metrics.route(`${route.namespace}/${route.name}`),
      defaults: compiled.routeDefaults,
    });
  }

  function applyRoutes(routes: readonly StoredRoute[]): void {
    askedServices.clear();
    for (const { auth } of routes) if (auth) askedTarget(auth.service);
    // Built whole beside the old one, then put in place: no request sees half of a change.
    table = createRouteTable(routes, toCompiled, (route, error) => {
      logger.error(
        { route: `${route.namespace}/${route.name}`, err: error },
        'the route cannot be read and takes no traffic; write it again',
      );
    });
    filters.settle();
    usedByRoutes = new Set();
    for (const route of table.routes) {
      for (const destination of route.destinations) usedByRoutes.add(destination.cluster);
      for (const { destination } of route.mirrors) usedByRoutes.add(destination.cluster);
    }
    const used = new Set(usedByRoutes);
    for (const route of zeroConfigRoutes.values()) {
      for (const destination of route.destinations) used.add(destination.cluster);
    }
    for (const cluster of keptClusters()) used.add(cluster);
    upstreams.retainClusters(used);
  }

  /** Needed whatever the routes are. */
  function* keptClusters(): Iterable<Cluster> {
    yield* tcp.clusters();
    for (const { cluster } of askedServices.values()) yield cluster;
  }

  function applyView(view: ServiceView): void {
    const { service } = view;
    if (view.count > 0) {
      zeroConfig.add(service);
      const upstream = upstreams.get(service);
      if (upstream) upstream.apply(view);
      // Made with its first request, of services that nobody asks for never; names have to be resolved by then.
      else if (view.named && zeroConfig.isPresent(service)) upstreams.of(service);
      return;
    }
    zeroConfig.retire(service);
    zeroConfigRoutes.delete(serviceId(service));
    const upstream = upstreams.get(service);
    // Of thousands of services that go together hardly one was ever asked for.
    if (!upstream) return;
    upstream.apply(view);
    upstreams.retainClustersOf(service, new Set([...usedByRoutes, ...keptClusters()]));
  }

  function applyPolicies(next: readonly StoredTrafficPolicy[]): void {
    for (const service of policies.apply(next)) {
      const view = catalogue.view(service);
      if (view) upstreams.get(service)?.apply(view);
    }
  }

  function onUpdate(update: CatalogueUpdate): void {
    // Ahead of the instances, so that a new one is dialled as its policy says from the first request on.
    if (update.policies) applyPolicies(update.policies);
    for (const view of update.views) applyView(view);
    if (update.routes) applyRoutes(update.routes);
  }

  function zeroConfigRoute(service: ServiceKey): CompiledRoute {
    const id = serviceId(service);
    let route = zeroConfigRoutes.get(id);
    if (!route) {
      // A service that went is answered for, but nothing is made and kept for it.
      const upstream = zeroConfig.isPresent(service) ? upstreams.of(service) : undefined;
      route = nameRoute(id, upstream, {
        metrics: metrics.route('(zero-config)'),
        defaults: compiled.routeDefaults,
      });
      if (upstream) zeroConfigRoutes.set(id, route);
    }
    return route;
  }

  function findRoute(query: RouteQuery): FoundRoute | undefined {
    const match = table.find(query);
    if (match) {
      const { route, path } = match;
      const matchedPath = matchedPathOf(path, query.path);
      return { route, matchedPath, rewritePrefix: route.rewritePrefix };
    }
    const service = compiled.routeByName ? zeroConfig.find(query.host, query.path) : undefined;
    if (!service) return undefined;
    const route = zeroConfigRoute(service.service);
    return service.prefix === ''
      ? { route, matchedPath: '', rewritePrefix: undefined }
      : { route, matchedPath: service.prefix, rewritePrefix: '' };
  }

  const guard = createOverloadGuard(compiled.overload, { clock, random, shed: metrics.shed });
  const context: ProxyContext = {
    clock,
    random,
    logger,
    pool,
    deadlines: new Deadlines(wheel),
    get limits() {
      return compiled.limits;
    },
    peerOf: (address) => peerOf(address),
    nextRequestId,
    sessions: createSessionTokens(compiled.sessionKey ?? randomBytes(32)),
    findRoute,
    mayDial: (endpoint) =>
      endpoint.ip !== undefined && deps.addressPolicy.check(endpoint.ip, endpoint.port).allowed,
    countRetry: () => metrics.retries.inc(),
    admit: guard.admit,
    ended(route, status) {
      guard.ended();
      if (route) route.metrics.requests[Math.floor(status / 100)]?.inc();
      else metrics.unrouted(status);
    },
    accessLog: compiled.accessLog,
  };

  const tcp = createTcpListeners({
    clock,
    logger,
    wheel,
    deadlines: context.deadlines,
    gate: context,
    connectTimeoutMs: pool.limits.connectTimeoutMs,
    targetOf(service) {
      const upstream = upstreams.of(service);
      return {
        upstream,
        cluster: upstream.cluster({ subset: {}, fallback: compiled.routeDefaults.balancer }),
      };
    },
    count: (listener, outcome) => metrics.tcpConnections(listener, outcome).inc(),
  });

  const begin = (exchange: ServerExchange): void =>
    new Exchange(context, translateGrpcWeb(exchange)).start();
  const server = createHttpServer(
    {
      limits: compiled.server,
      http2: compiled.http2,
      ...(compiled.proxyProtocolFrom ? { isProxy: matchesAny(compiled.proxyProtocolFrom) } : {}),
      onExchange(exchange) {
        const { findChallenge } = compiled;
        const token = findChallenge && challengeToken(exchange);
        if (token === undefined || findChallenge === undefined) begin(exchange);
        else void answerChallenge(exchange, token, findChallenge, () => begin(exchange));
      },
      renderFault(error) {
        const requestId = nextRequestId();
        return {
          headers: ['Content-Type', 'application/json', 'X-Request-Id', requestId],
          body: errorBody(error.code, error.status, error.message, requestId).toString(),
        };
      },
      onFault: (error) => metrics.unrouted(error.status),
    },
    { clock, logger, wheel },
  );

  const tlsListeners: TlsListener[] = [];

  policies.apply(catalogue.policies());
  for (const { service } of catalogue.services()) {
    const view = catalogue.view(service);
    if (view) applyView(view);
  }
  applyRoutes(catalogue.routes());
  const unsubscribe = catalogue.subscribe(onUpdate);

  return {
    async listen(host, wanted, options = {}) {
      const limit = new Promise<void>((resolve) => {
        firstResolveLimit = clock.setTimer(FIRST_RESOLVE_LIMIT_MS, resolve);
      });
      await Promise.race([resolver.settled(), limit]);
      firstResolveLimit?.cancel();
      const bound = await server.listen({ host, port: wanted, ...options });
      return { host: bound.address, port: bound.port };
    },
    async listenTls({ proxyProtocolFrom, ...tlsOptions }, host, wanted, options = {}) {
      const listener = createTlsListener(
        {
          ...tlsOptions,
          http2: compiled.http2,
          isProxy: proxyProtocolFrom && matchesAny(proxyProtocolFrom),
        },
        {
          logger,
          wheel,
          onConnection: (socket, facts, source) => server.accept(socket, facts, source),
        },
      );
      const bound = await listener.listen({ host, port: wanted, ...options });
      tlsListeners.push(listener);
      const { address, port } = bound;
      return { host: address, port, update: (next) => listener.update(next) };
    },
    async listenTcp(tcpOptions, host, wanted, options = {}) {
      const bound = await tcp.listen(tcpOptions, { host, port: wanted, ...options });
      return { host: bound.address, port: bound.port };
    },
    async close(closing = {}) {
      // The catalogue is followed while draining: what is under way may still have to be tried elsewhere.
      const drainMs = closing.drainMs ?? 0;
      for (const listener of tlsListeners) listener.close();
      if (drainMs > 0) await Promise.all([server.drain(drainMs), tcp.drain(drainMs)]);
      else await Promise.all([server.close(), tcp.close()]);
      unsubscribe();
      guard.close();
      firstResolveLimit?.cancel();
      upstreams.close();
      resolver.close();
      pool.close();
      wheel.close();
    },
    update(next) {
      const recompiled = compileGatewayOptions(next);
      peerOf = createPeers(recompiled.trustedProxies);
      const { trustedProxies, routeDefaults, routeByName } = recompiled;
      // The pool's connections were bounded by it at the start, so that it could not be raised alone.
      const { maxRequestsPerEndpoint } = compiled.limits;
      const limits = { ...recompiled.limits, maxRequestsPerEndpoint };
      compiled = { ...compiled, trustedProxies, routeDefaults, routeByName, limits };
      zeroConfigRoutes.clear();
      // Certificates may have been renewed in their files.
      transports.reload();
      for (const upstream of upstreams.values()) {
        const view = catalogue.view(upstream.service);
        if (view) upstream.apply(view, true);
      }
      applyRoutes(catalogue.routes());
    },
    explain: (request) =>
      explainRequest(request, {
        table,
        catalogue,
        headLimits: compiled.server,
        maxRequestsPerEndpoint: compiled.limits.maxRequestsPerEndpoint,
        peerOf: context.peerOf,
        findRoute,
        mayDial: context.mayDial,
      }),
    stats() {
      let endpoints = 0;
      let ejected = 0;
      for (const upstream of upstreams.values()) {
        endpoints += upstream.endpoints.length;
        for (const endpoint of upstream.endpoints) if (endpoint.outlier.ejected) ejected++;
      }
      return {
        connections: server.connections,
        busyConnections: server.busyConnections,
        activeRequests: activeRequests(),
        routes: table.routes.length,
        services: upstreams.size,
        endpoints,
        ejected,
      };
    },
  };
}
