import type { AddressInfo } from 'node:net';
import type { Clock, Logger, ServiceKey } from '@portolan/core';
import type { ListenTarget, TimerWheel } from '@portolan/http';
import type { EndpointGate } from '../proxy/choose-endpoint.ts';
import type { Deadlines } from '../proxy/deadlines.ts';
import { readNetworks } from '../proxy/networks.ts';
import type { Cluster } from '../upstream/cluster.ts';
import { compileServerNameRoutes, type ServerNameRoute } from './server-name-routes.ts';
import type { TcpOutcome, TcpTarget } from './tcp-connection.ts';
import { createTcpListener, type TcpListener } from './tcp-listener.ts';

/** A port whose connections are carried to a service as they are. */
export interface TcpListenerOptions {
  /** In logs and metrics. */
  readonly name: string;
  /** Where everything goes; or by the name that a TLS client asks for, without ending its TLS. */
  readonly to: ServiceKey | readonly ServerNameRoute[];
  /** Addresses and CIDRs of the proxies that may connect and have to open with a PROXY header; absent: none is taken. */
  readonly proxyProtocolFrom?: readonly string[];
  /** Tells instances of the client. */
  readonly sendsProxyProtocol?: 1 | 2;
  /** Default 10,000. */
  readonly maxConnections?: number;
  /** Without a byte in either direction; default an hour. */
  readonly idleTimeoutMs?: number;
}

export interface TcpListenersDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly wheel: TimerWheel;
  readonly deadlines: Deadlines;
  readonly gate: EndpointGate;
  readonly connectTimeoutMs: number;
  targetOf(service: ServiceKey): TcpTarget;
  count(listener: string, outcome: TcpOutcome): void;
}

const OPENING_TIMEOUT_MS = 5_000;
const DEFAULT_MAX_CONNECTIONS = 10_000;
const DEFAULT_IDLE_TIMEOUT_MS = 3_600_000;

/** Owns a gateway's TCP listeners. */
export interface TcpListeners {
  /** Throws a RangeError for a network or server name that cannot be read. */
  listen(options: TcpListenerOptions, address: ListenTarget): Promise<AddressInfo>;
  /** What the listeners need to be kept. */
  clusters(): Iterable<Cluster>;
  readonly connections: number;
  drain(timeoutMs: number): Promise<void>;
  close(): Promise<void>;
}

export function createTcpListeners(deps: TcpListenersDeps): TcpListeners {
  const listeners: TcpListener[] = [];
  const services: ServiceKey[] = [];

  return {
    listen(options, address) {
      const { to } = options;
      const byName = isRouteList(to) ? to : undefined;
      const service = isRouteList(to) ? undefined : to;
      const listener = createTcpListener({
        clock: deps.clock,
        logger: deps.logger.child({ listener: options.name }),
        wheel: deps.wheel,
        deadlines: deps.deadlines,
        gate: deps.gate,
        serverNames: byName && compileServerNameRoutes(byName),
        service,
        takesProxyHeader: options.proxyProtocolFrom !== undefined,
        proxies: readNetworks(options.proxyProtocolFrom ?? []),
        sendsProxyHeader: options.sendsProxyProtocol,
        maxConnections: options.maxConnections ?? DEFAULT_MAX_CONNECTIONS,
        openingTimeoutMs: OPENING_TIMEOUT_MS,
        connectTimeoutMs: deps.connectTimeoutMs,
        idleTimeoutMs: options.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS,
        targetOf: deps.targetOf,
        count: (outcome) => deps.count(options.name, outcome),
      });
      services.push(...(service ? [service] : (byName ?? []).map((route) => route.service)));
      // Ahead of the first connection, so that names are resolved by then.
      for (const needed of services) deps.targetOf(needed);
      listeners.push(listener);
      return listener.listen(address);
    },
    *clusters() {
      for (const service of services) yield deps.targetOf(service).cluster;
    },
    get connections() {
      return listeners.reduce((sum, listener) => sum + listener.connections, 0);
    },
    async drain(timeoutMs) {
      await Promise.all(listeners.map((listener) => listener.drain(timeoutMs)));
    },
    async close() {
      await Promise.all(listeners.map((listener) => listener.close()));
    },
  };
}

function isRouteList(to: TcpListenerOptions['to']): to is readonly ServerNameRoute[] {
  return Array.isArray(to);
}
