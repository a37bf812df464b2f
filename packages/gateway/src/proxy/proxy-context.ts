import type { Clock, Logger, Random } from '@portolan/core';
import type { ConnectionPool, ExchangeProtocol, RequestHead } from '@portolan/http';
import type { CompiledRoute } from '../routing/compiled-route.ts';
import type { RouteQuery } from '../routing/route-match.ts';
import type { SessionTokens } from '../upstream/session-tokens.ts';
import type { UpstreamEndpoint } from '../upstream/upstream-endpoint.ts';
import type { Deadlines } from './deadlines.ts';
import type { Peer } from './trusted-peers.ts';

/** A route found for a request. */
export interface FoundRoute {
  readonly route: CompiledRoute;
  /** What of the path is replaced by the route's rewrite. */
  readonly matchedPath: string;
  /** Replacement; undefined leaves the path as it is. */
  readonly rewritePrefix: string | undefined;
}

export interface ProxyLimits {
  /** Until the response's head, for routes without a timeout of their own. */
  readonly responseTimeoutMs: number;
  /** Without a byte in either direction once the response began. */
  readonly streamIdleTimeoutMs: number;
  /** Without a byte in either direction of an upgraded connection. */
  readonly tunnelIdleTimeoutMs: number;
  /** Of a request body, kept for a retry. */
  readonly replayBytes: number;
  /** Requests under way at one endpoint. */
  readonly maxRequestsPerEndpoint: number;
}

/** One line of the access log, told after each exchange. */
export interface AccessRecord {
  readonly requestId: string;
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly peer: string;
  readonly protocol: ExchangeProtocol;
  /** Whether the client's connection was encrypted. */
  readonly secure: boolean;
  /** 0 when nothing was answered. */
  readonly status: number;
  /** Of the bodies, without framing; what passes through a tunnel is not counted. */
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly route: string | undefined;
  /** The last that was asked. */
  readonly endpoint: Pick<UpstreamEndpoint, 'id' | 'address' | 'port'> | undefined;
  readonly tries: number;
  readonly durationMs: number;
  readonly errorCode: string | undefined;
  /** As received; what a log takes of it is its own affair. */
  readonly head: RequestHead;
}

/** What all exchanges of a gateway share. */
export interface ProxyContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly pool: ConnectionPool;
  readonly deadlines: Deadlines;
  readonly limits: ProxyLimits;
  peerOf(address: string): Peer;
  nextRequestId(): string;
  readonly sessions: SessionTokens;
  findRoute(query: RouteQuery): FoundRoute | undefined;
  /** Whether the address may be dialled now. */
  mayDial(endpoint: UpstreamEndpoint): boolean;
  countRetry(): void;
  /** Counts an exchange in; false when it is to be refused at once. */
  admit(): boolean;
  /** Counts it out, with the status of its answer; `route` is absent when none was found. */
  ended(route: CompiledRoute | undefined, status: number): void;
  accessLog: ((record: AccessRecord) => void) | undefined;
}
