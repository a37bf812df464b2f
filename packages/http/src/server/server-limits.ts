import { type ChunkedLimits, DEFAULT_CHUNKED_LIMITS } from '../message/chunked-decoder.ts';
import { DEFAULT_HEAD_LIMITS, type HeadLimits } from '../message/request-head.ts';

export interface HttpServerLimits extends HeadLimits, ChunkedLimits {
  /** From the first byte of a head, or the accept, to its end. Default 10 s; over it 408. */
  readonly headTimeoutMs: number;
  /** Between two requests of a connection. Default 60 s. */
  readonly idleTimeoutMs: number;
  /** A body that is being read has to bring `minBodyBytesPerSecond` in every such window. Default 10 s; else 408. */
  readonly bodyWindowMs: number;
  /** Default 100. */
  readonly minBodyBytesPerSecond: number;
  /** A client that takes nothing of a waiting response for this long is cut off. Default 30 s. */
  readonly writeIdleTimeoutMs: number;
  /** How long a response may still be awaited after the client closed its side. Default 10 s. */
  readonly halfCloseTimeoutMs: number;
  /** How long to read on after a closing reply, so that the client gets to see it. Default 1 s. */
  readonly lingerTimeoutMs: number;
  /** How much of a body nobody read is read away after the response, to keep the connection. Default 64 KiB. */
  readonly unreadBodyBytes: number;
  /** How much that arrives before its time (pipelined, or before the body is asked for) is held. Default 64 KiB. */
  readonly heldBytes: number;
  /** Default 10,000; more are told 503 and closed. */
  readonly maxConnections: number;
  /** Default 2,048. */
  readonly maxConnectionsPerIp: number;
  /** Requests at a time on one HTTP/2 connection. Default 100; more are refused. */
  readonly http2Streams: number;
  /** Streams that a client may make end in a reset, beyond `http2ResetsPerSecond`. Default 200; then its connection is closed. */
  readonly http2ResetBurst: number;
  /** Default 33. */
  readonly http2ResetsPerSecond: number;
  /** PING and SETTINGS frames, beyond `http2ControlFramesPerSecond`. Default 1,000; then its connection is closed. */
  readonly http2ControlFrameBurst: number;
  /** Default 100. */
  readonly http2ControlFramesPerSecond: number;
}

export const DEFAULT_SERVER_LIMITS: HttpServerLimits = {
  ...DEFAULT_HEAD_LIMITS,
  ...DEFAULT_CHUNKED_LIMITS,
  headTimeoutMs: 10_000,
  idleTimeoutMs: 60_000,
  bodyWindowMs: 10_000,
  minBodyBytesPerSecond: 100,
  writeIdleTimeoutMs: 30_000,
  halfCloseTimeoutMs: 10_000,
  lingerTimeoutMs: 1_000,
  unreadBodyBytes: 65_536,
  heldBytes: 65_536,
  maxConnections: 10_000,
  maxConnectionsPerIp: 2_048,
  http2Streams: 100,
  http2ResetBurst: 200,
  http2ResetsPerSecond: 33,
  http2ControlFrameBurst: 1_000,
  http2ControlFramesPerSecond: 100,
};
