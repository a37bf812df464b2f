import type { Admission, RequestClass } from './admission.ts';

/** A request to the control port, read whole. Header names are lower case; a repeated field is joined with ", ". */
export interface ControlRequest {
  readonly method: string;
  /** Canonical path without query. */
  readonly path: string;
  readonly query: URLSearchParams;
  header(lowerCaseName: string): string | undefined;
  readonly body: Uint8Array;
  readonly remoteAddress: string;
  readonly requestId: string;
  /** Aborts when the client goes away or the server shuts down. */
  readonly signal: AbortSignal;
}

export interface ControlReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** An iterable is streamed chunk by chunk under back-pressure and ended with the request's signal. */
  readonly body?: string | Uint8Array | AsyncIterable<string | Uint8Array>;
}

/** What a connection that switched protocols tells whoever speaks on it. Nothing is called after `onClosed`. */
export interface UpgradedHandler {
  /** The piece is lent: what is kept of it after the call has to be copied. */
  onData(piece: Uint8Array): void;
  /** After a write returned false: more is welcome. */
  onDrain(): void;
  /** The peer will send no more. */
  onEnd(): void;
  onClosed(): void;
}

/** A connection that switched protocols. It is paused until `start`. */
export interface UpgradedConnection {
  readonly remoteAddress: string;
  readonly requestId: string;
  /** Aborts when the server shuts down; the connection should come to its end then. */
  readonly shutdown: AbortSignal;
  /** Asked for everything that the peer wants. */
  readonly admission: Admission;
  /** Bytes written that the peer has not taken. */
  readonly unsentBytes: number;
  start(handler: UpgradedHandler): void;
  pause(): void;
  resume(): void;
  /** False says to wait for `onDrain`. */
  write(bytes: Uint8Array): boolean;
  /** Closes our side once everything is sent. */
  end(): void;
  destroy(): void;
}

/** Another protocol that a route's connection can switch to. */
export interface RouteUpgrade {
  /** Tokens of the Upgrade field (RFC 9110 §7.8); the client's order decides. */
  readonly protocols: readonly string[];
  /** Called once the switch was answered. */
  begin(connection: UpgradedConnection, protocol: string): void;
}

export interface HttpRoute {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** `:name` parameters, `*` at the end only. */
  readonly path: string;
  /** Default 64 KiB. */
  readonly bodyLimitBytes?: number;
  /** How long it is admitted when there is too much to do. Default: `read` for GET and HEAD, else `write`. */
  readonly admission?: RequestClass;
  /** Where the client asks for one of its protocols it is begun instead of `handle`. GET only. */
  readonly upgrade?: RouteUpgrade;
  handle(
    request: ControlRequest,
    params: Readonly<Record<string, string>>,
  ): ControlReply | Promise<ControlReply>;
}

/** A dialect over HTTP: functions from request to reply; owns no socket. */
export interface HttpProtocolAdapter {
  readonly transport: 'http';
  readonly name: string;
  /** Paths it answers for, also with 404, 405 and errors in its own words. Longest prefix wins. */
  readonly prefixes: readonly string[];
  readonly routes: readonly HttpRoute[];
  /** Renders whatever a handler threw, and the server's own 404, 405, 413 and 400 below this dialect's prefixes. */
  renderError(
    error: unknown,
    request: Pick<ControlRequest, 'method' | 'path' | 'requestId'>,
  ): ControlReply;
}

/** IPv6 without brackets. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

/** A dialect that owns a listener: DNS, gRPC, xDS. */
export interface SocketProtocolAdapter {
  readonly transport: 'socket';
  readonly name: string;
  /** Where it is to listen; port 0 asks for a free one. */
  readonly listen: SocketAddress;
  /** Resolves once it listens, with the port it got; stops when `signal` aborts, and `closed` resolves when it has. */
  start(
    signal: AbortSignal,
  ): Promise<{ readonly address: SocketAddress; readonly closed: Promise<void> }>;
}

export type ProtocolAdapter = HttpProtocolAdapter | SocketProtocolAdapter;
