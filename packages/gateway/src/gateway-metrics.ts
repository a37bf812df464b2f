import type { Counter, Metrics } from '@portolan/core';
import { transportInUse } from '@portolan/http';
import type { RouteMetrics } from './routing/compiled-route.ts';

/** The gateway's metrics, with children made once for each route and service. */
export interface GatewayMetrics {
  route(name: string): RouteMetrics;
  readonly retries: Counter;
  ejections(service: string): Counter;
  unrouted(status: number): void;
  tcpConnections(listener: string, outcome: string): Counter;
  shed(reason: string): Counter;
}

const STATUS_CLASSES = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'];
const LATENCY_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Registers the metrics; `active` is asked at each scrape. */
export function createGatewayMetrics(
  metrics: Metrics,
  ask: { connections(): number; active(): number },
): GatewayMetrics {
  const requests = metrics.counter({
    name: 'portolan_gateway_requests_total',
    help: 'Exchanges by route and class of status; none: cut before an answer.',
    labelNames: ['route', 'status'],
  });
  const latency = metrics.histogram({
    name: 'portolan_gateway_response_head_seconds',
    help: "Time from the request's head to the response's head, by route.",
    labelNames: ['route'],
    buckets: LATENCY_BUCKETS,
  });
  const retries = metrics.counter({
    name: 'portolan_gateway_retries_total',
    help: 'Attempts after the first one.',
  });
  const ejections = metrics.counter({
    name: 'portolan_gateway_ejections_total',
    help: 'Endpoints taken out of rotation for failing, by service.',
    labelNames: ['service'],
  });
  const tcpConnections = metrics.counter({
    name: 'portolan_gateway_tcp_connections_total',
    help: 'Connections of TCP listeners by what became of them.',
    labelNames: ['listener', 'outcome'],
  });
  const shed = metrics.counter({
    name: 'portolan_gateway_shed_total',
    help: 'Requests refused because the gateway had enough to do, by what there was too much of.',
    labelNames: ['reason'],
  });
  const connections = metrics
    .gauge({ name: 'portolan_gateway_connections', help: 'Open client connections.' })
    .labels();
  const active = metrics
    .gauge({ name: 'portolan_gateway_active_requests', help: 'Requests under way at upstreams.' })
    .labels();
  const native = metrics
    .gauge({
      name: 'portolan_gateway_native_transport',
      help: 'Gateway processes whose sockets are read and written by the native transport; 0: by node:net.',
    })
    .labels();
  metrics.onCollect(() => {
    native.set(transportInUse().name === 'native' ? 1 : 0);
    connections.set(ask.connections());
    active.set(ask.active());
  });
  const routes = new Map<string, RouteMetrics>();
  function route(name: string): RouteMetrics {
    let made = routes.get(name);
    if (!made) {
      made = {
        requests: STATUS_CLASSES.map((status) => requests.labels(name, status)),
        latency: latency.labels(name),
      };
      // Names come from stored routes and one for all services: bounded, but routes may come and go for years.
      if (routes.size > 10_000) routes.clear();
      routes.set(name, made);
    }
    return made;
  }
  return {
    route,
    retries: retries.labels(),
    ejections: (service) => ejections.labels(service),
    tcpConnections: (listener, outcome) => tcpConnections.labels(listener, outcome),
    shed: (reason) => shed.labels(reason),
    unrouted: (status) => route('(none)').requests[Math.floor(status / 100)]?.inc(),
  };
}
