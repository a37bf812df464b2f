import type {
  AddressPolicy,
  CatalogueReader,
  Clock,
  Logger,
  Metrics,
  Random,
  RequestToExplain,
  RouteExplainer,
  RouteExplanation,
} from '@portolan/core';
import type { TlsListenerOptions } from '@portolan/http';
import type { GatewayOptions } from './gateway-options.ts';
import type { TcpListenerOptions } from './tcp/tcp-listeners.ts';
import type { Resolve } from './upstream/endpoint-resolver.ts';

export interface GatewayDeps {
  readonly catalogue: CatalogueReader;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly addressPolicy: AddressPolicy;
  readonly resolve: Resolve;
}

/** What the gateway is doing now. */
export interface GatewayStats {
  readonly connections: number;
  readonly busyConnections: number;
  readonly activeRequests: number;
  readonly routes: number;
  /** Those that requests or routes have led to. */
  readonly services: number;
  /** Of those services. */
  readonly endpoints: number;
  readonly ejected: number;
}

export interface ListenOptions {
  /** The port is shared with other processes that say so too. */
  readonly reusePort?: boolean;
}

/** The data plane: one listener that forwards to what the catalogue knows. */
export interface Gateway extends RouteExplainer {
  /** Resolves with the bound port once requests are served. */
  listen(
    host: string,
    port: number,
    options?: ListenOptions,
  ): Promise<{ readonly host: string; readonly port: number }>;
  /** Ends TLS and serves what is in it as `listen` does. Throws an Error for certificates that cannot be used. */
  listenTls(
    options: TlsOptions,
    host: string,
    port: number,
    listening?: ListenOptions,
  ): Promise<TlsListening>;
  /** Carries connections to a service as they are; before or after `listen`. Throws a RangeError for options that cannot be read. */
  listenTcp(
    options: TcpListenerOptions,
    host: string,
    port: number,
    listening?: ListenOptions,
  ): Promise<{ readonly host: string; readonly port: number }>;
  /** Stops accepting, lets what is under way finish for up to `drainMs`, then cuts the rest. */
  close(options?: { readonly drainMs?: number }): Promise<void>;
  stats(): GatewayStats;
  explain(request: RequestToExplain): RouteExplanation;
  /**
   * Puts `trustedProxies`, `routeDefaults`, `routeByName` and `limits` (but `maxRequestsPerEndpoint`) in force for requests from now on;
   * those under way go on as they began. The other options are read once, by `createGateway`. Throws a RangeError, changing nothing, for an address
   * that cannot be read.
   */
  update(options: GatewayOptions): void;
}

/** A TLS listener to be. */
export interface TlsOptions extends Omit<TlsListenerOptions, 'http2' | 'isProxy'> {
  /** Addresses and CIDRs of the proxies that may connect and have to open with a PROXY header; absent: none is taken. */
  readonly proxyProtocolFrom?: readonly string[] | undefined;
}

/** A TLS listener that is up. */
export interface TlsListening {
  readonly host: string;
  readonly port: number;
  /** Other certificates from now on. Throws, changing nothing, for what cannot be used. */
  update(options: Pick<TlsListenerOptions, 'certificates' | 'clientCaPem'>): void;
}
