import type { SocketAddress } from '@portolan/core';

export interface GrpcOptions {
  readonly listen: SocketAddress;
  /** A longer message is refused with RESOURCE_EXHAUSTED. */
  readonly maxMessageBytes: number;
  readonly maxConnections: number;
  /** Calls under way on one connection. */
  readonly maxStreams: number;
  /** Open watches. */
  readonly maxWatchers: number;
  /** After so much silence a connection is asked whether it lives. */
  readonly keepaliveMs: number;
  readonly keepaliveTimeoutMs: number;
  /** A connection without calls is closed. */
  readonly idleTimeoutMs: number;
  /** How long calls under way may take at the end; watches and heartbeats are told to come back. */
  readonly drainMs: number;
}

export const DEFAULT_GRPC_OPTIONS: GrpcOptions = {
  listen: { host: '127.0.0.1', port: 8502 },
  maxMessageBytes: 4 * 1_024 * 1_024,
  maxConnections: 10_000,
  maxStreams: 1_000,
  maxWatchers: 10_000,
  keepaliveMs: 30_000,
  keepaliveTimeoutMs: 10_000,
  idleTimeoutMs: 300_000,
  drainMs: 2_000,
};
