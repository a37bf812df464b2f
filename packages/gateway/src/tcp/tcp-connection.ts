import { connect, type Socket } from 'node:net';
import type { Logger, OutlierSignal, ServiceKey } from '@portolan/core';
import {
  MAX_OPENING_BYTES,
  MAX_PROXY_HEADER_BYTES,
  OpeningError,
  type ProxiedSource,
  parseClientHello,
  parseProxyHeader,
  proxyHeader,
  readOpening,
  type TimerWheel,
  WheelTimer,
} from '@portolan/http';
import { chooseEndpoint, type EndpointGate } from '../proxy/choose-endpoint.ts';
import type { Deadlines } from '../proxy/deadlines.ts';
import { Tunnel } from '../proxy/tunnel.ts';
import type { Cluster } from '../upstream/cluster.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { UpstreamEndpoint } from '../upstream/upstream-endpoint.ts';
import type { ServerNameRoutes } from './server-name-routes.ts';

/** What became of a connection: for counting. */
export type TcpOutcome = 'carried' | 'opening_refused' | 'no_route' | 'no_endpoint';

/** Where a connection may go. */
export interface TcpTarget {
  readonly upstream: Upstream;
  readonly cluster: Cluster;
}

/** What all connections of a listener share. */
export interface TcpConnectionContext {
  readonly wheel: TimerWheel;
  readonly deadlines: Deadlines;
  readonly logger: Logger;
  readonly gate: EndpointGate;
  /** Undefined: the listener carries whatever comes to `service`. */
  readonly serverNames: ServerNameRoutes | undefined;
  readonly service: ServiceKey | undefined;
  /** Whether the client's side has to open with a PROXY header. */
  readonly takesProxyHeader: boolean;
  readonly sendsProxyHeader: 1 | 2 | undefined;
  readonly openingTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  targetOf(service: ServiceKey): TcpTarget;
  onOver(connection: TcpConnection): void;
  count(outcome: TcpOutcome): void;
}

/** Endpoints that are tried before a connection is given up: nothing was sent to any of them. */
const MAX_CONNECT_TRIES = 5;
// RFC 8446 §6.2: fatal, unrecognized_name.
const UNRECOGNIZED_NAME = Buffer.from([21, 3, 3, 0, 2, 2, 112]);

/** One client connection that is carried to an instance as it is. */
export class TcpConnection {
  readonly #client: Socket;
  readonly #context: TcpConnectionContext;
  readonly #connectTimer: WheelTimer;
  #target: TcpTarget | undefined;
  #endpoint: UpstreamEndpoint | undefined;
  #dialled: Socket | undefined;
  #tried: readonly UpstreamEndpoint[] = [];
  #source: ProxiedSource | undefined;
  #opening: Buffer = Buffer.alloc(0);
  #over = false;

  constructor(client: Socket, context: TcpConnectionContext) {
    this.#client = client;
    this.#context = context;
    this.#connectTimer = new WheelTimer(() => this.#connectFailed('connect-timeout'));
  }

  async start(): Promise<void> {
    const client = this.#client;
    client.on('close', () => this.#clientClosed());
    client.on('error', () => client.destroy());
    this.#source = {
      sourceAddress: client.remoteAddress ?? '',
      sourcePort: client.remotePort ?? 0,
      destinationAddress: client.localAddress ?? '',
      destinationPort: client.localPort ?? 0,
    };
    try {
      const service = await this.#readOpening();
      if (this.#over) return;
      if (service === undefined) {
        this.#context.count('no_route');
        this.#client.end(UNRECOGNIZED_NAME);
        this.#client.destroySoon();
        return;
      }
      this.#target = this.#context.targetOf(service);
      this.#connect();
    } catch (error) {
      if (!(error instanceof OpeningError)) throw error;
      this.#context.logger.debug(
        { client: client.remoteAddress, code: error.code, err: error },
        'a TCP connection was refused',
      );
      this.#context.count('opening_refused');
      client.destroy();
    }
  }

  destroy(): void {
    this.#client.destroy();
  }

  /** Reads what tells of the client and of where it wants to go; undefined when that is nowhere. */
  async #readOpening(): Promise<ServiceKey | undefined> {
    const { takesProxyHeader, serverNames, service, wheel, openingTimeoutMs } = this.#context;
    const timeoutMs = openingTimeoutMs;
    if (takesProxyHeader) {
      const limits = { bytes: MAX_PROXY_HEADER_BYTES, timeoutMs };
      const header = await readOpening(this.#client, parseProxyHeader, limits, wheel);
      this.#opening = header.bytes.subarray(header.length);
      if (header.value) this.#source = header.value;
    }
    if (!serverNames) return service;
    const limits = { bytes: MAX_OPENING_BYTES, timeoutMs };
    const hello = await readOpening(this.#client, parseClientHello, limits, wheel, this.#opening);
    this.#opening = hello.bytes;
    return serverNames(hello.value.serverName);
  }

  #connect(): void {
    const { gate, wheel, connectTimeoutMs } = this.#context;
    const target = this.#target as TcpTarget;
    const endpoint =
      this.#tried.length < MAX_CONNECT_TRIES
        ? chooseEndpoint(target.cluster, this.#tried, gate)
        : 'NO_HEALTHY_ENDPOINT';
    if (
      typeof endpoint === 'string' ||
      endpoint.ip === undefined ||
      this.#tried.includes(endpoint)
    ) {
      this.#context.count('no_endpoint');
      this.#client.destroy();
      return;
    }
    this.#endpoint = endpoint;
    endpoint.active++;
    target.upstream.active++;
    const socket = connect({
      host: endpoint.ip,
      port: endpoint.port,
      noDelay: true,
      allowHalfOpen: true,
    });
    this.#dialled = socket;
    wheel.arm(this.#connectTimer, connectTimeoutMs);
    socket.on('error', this.#onConnectError);
    socket.once('connect', () => this.#carry(socket, endpoint));
  }

  readonly #onConnectError = (): void => this.#connectFailed('connect-failure');

  #connectFailed(signal: OutlierSignal): void {
    const endpoint = this.#endpoint;
    const target = this.#target;
    if (!endpoint || !target || this.#over) return;
    this.#dropDial();
    target.upstream.note(endpoint, signal);
    this.#tried = [...this.#tried, endpoint];
    this.#leave();
    this.#connect();
  }

  #carry(upstream: Socket, endpoint: UpstreamEndpoint): void {
    const { wheel, deadlines, idleTimeoutMs, sendsProxyHeader } = this.#context;
    wheel.disarm(this.#connectTimer);
    upstream.off('error', this.#onConnectError);
    this.#dialled = undefined;
    this.#target?.upstream.note(endpoint, 'success');
    this.#context.count('carried');
    if (sendsProxyHeader) upstream.write(proxyHeader(sendsProxyHeader, this.#source));
    new Tunnel(
      { socket: this.#client, surplus: this.#opening },
      { socket: upstream, surplus: Buffer.alloc(0) },
      { deadlines, idleTimeoutMs, onClosed: () => this.#end() },
    );
    this.#opening = Buffer.alloc(0);
  }

  #clientClosed(): void {
    // A tunnel ends when both sides did.
    if (this.#dialled === undefined && this.#endpoint !== undefined) return;
    this.#end();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#dropDial();
    this.#leave();
    this.#context.onOver(this);
  }

  #dropDial(): void {
    this.#context.wheel.disarm(this.#connectTimer);
    const dialled = this.#dialled;
    this.#dialled = undefined;
    if (!dialled) return;
    dialled.off('error', this.#onConnectError);
    dialled.on('error', () => undefined);
    dialled.destroy();
  }

  #leave(): void {
    const endpoint = this.#endpoint;
    const upstream = this.#target?.upstream;
    this.#endpoint = undefined;
    if (!endpoint || !upstream) return;
    endpoint.active--;
    upstream.active--;
    if (endpoint.draining && endpoint.active === 0) upstream.endpointIdle(endpoint);
    else upstream.dropIfUnused();
  }
}
