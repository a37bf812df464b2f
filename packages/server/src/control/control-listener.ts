import {
  type Clock,
  type ControlReply,
  type Counter,
  type Histogram,
  type HttpProtocolAdapter,
  type HttpRoute,
  isRegistryError,
  type LabelledMetric,
  type Logger,
  type Metrics,
  type Random,
  RegistryError,
  type RequestClass,
} from '@portolan/core';
import {
  canonicalTarget,
  createHttpServer,
  HttpProtocolError,
  type HttpServerLimits,
  type ServerExchange,
} from '@portolan/http';
import type { ListenAddress } from '../config/value-types.ts';
import {
  type AdmissionOptions,
  type ControlAdmission,
  createAdmission,
  UNLIMITED,
} from './admission.ts';
import { answer, renderFault } from './answer.ts';
import { createRequestIds, ExchangeRequest } from './control-request.ts';
import { createHostGuard, type HostGuard } from './host-guard.ts';
import { createRouteTable, type Resolution, type RouteTable } from './route-table.ts';
import { createUpgradedSocket } from './upgraded-socket.ts';

export interface ControlListenerOptions {
  /** Its name in metrics. */
  readonly name: string;
  readonly limits: Partial<HttpServerLimits>;
  /** See `control.allowedHosts`. */
  readonly allowedHosts: readonly string[];
  /** See `control.overload`; absent: nothing is refused. */
  readonly overload?: AdmissionOptions;
}

export interface ControlListenerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** The control port, or a dialect's own: one listener for dialects over HTTP. */
export interface ControlListener {
  /** Resolves once it listens, with the port it got. */
  listen(address: ListenAddress): Promise<ListenAddress>;
  /** Adapters that answer from now on, all at once; the first one speaks for paths that nobody owns. */
  mount(adapters: readonly [HttpProtocolAdapter, ...HttpProtocolAdapter[]]): void;
  setAllowedHosts(allowedHosts: readonly string[]): void;
  readonly connections: number;
  /** How much there is to do, as a share of what is allowed. */
  readonly pressure: number;
  /** Ends streams and long polls at once, lets other requests finish, then cuts what is left. */
  close(timeoutMs: number): Promise<void>;
}

const DEFAULT_BODY_LIMIT_BYTES = 64 * 1024;
/** So many new connections a turn: heartbeats of clients that keep none open do not wait behind a crowd. */
const LISTENERS = 8;
const LATENCY_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

export function createControlListener(
  options: ControlListenerOptions,
  deps: ControlListenerDeps,
): ControlListener {
  return new ExchangeDispatcher(options, deps);
}

class ExchangeDispatcher implements ControlListener {
  readonly #server: ReturnType<typeof createHttpServer>;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #nextId: (given: string | undefined) => string;
  readonly #closing = new AbortController();
  readonly #requests: LabelledMetric<Counter>;
  readonly #latency: Histogram;
  readonly #admission: ControlAdmission;
  #hosts: HostGuard;
  #routes: RouteTable = createRouteTable([]);
  #fallback: HttpProtocolAdapter | undefined;

  constructor(options: ControlListenerOptions, deps: ControlListenerDeps) {
    this.#logger = deps.logger;
    this.#clock = deps.clock;
    this.#nextId = createRequestIds(Math.floor(deps.random() * 36 ** 6).toString(36));
    this.#hosts = createHostGuard(options.allowedHosts);
    this.#admission = createAdmission(options.overload ?? UNLIMITED, {
      ...deps,
      name: options.name,
    });
    this.#requests = deps.metrics.counter({
      name: 'portolan_control_requests_total',
      help: 'Requests to the control port.',
      labelNames: ['adapter', 'method', 'status'],
    });
    this.#latency = deps.metrics
      .histogram({
        name: 'portolan_control_request_duration_seconds',
        help: 'From the head of a request to the end of its answer; streams are not counted.',
        buckets: LATENCY_BUCKETS,
      })
      .labels();
    const faults = deps.metrics.counter({
      name: 'portolan_control_protocol_faults_total',
      help: 'Requests refused because they broke HTTP or a limit.',
      labelNames: ['code'],
    });
    this.#server = createHttpServer(
      {
        limits: options.limits,
        listeners: LISTENERS,
        onExchange: (exchange) => this.#begin(exchange),
        onFault: (error) => faults.labels(error.code).inc(),
        renderFault: (error) => {
          const requestId = this.#nextId(undefined);
          return {
            headers: [...Object.entries(PROBLEM_HEADERS).flat(), 'x-request-id', requestId],
            body: toProblem(error, requestId),
          };
        },
      },
      { clock: deps.clock, logger: deps.logger },
    );
    const connections = deps.metrics.gauge({
      name: 'portolan_control_connections',
      help: "Open connections to the control port and to dialects' own ports.",
      labelNames: ['listener'],
    });
    deps.metrics.onCollect(() => connections.labels(options.name).set(this.#server.connections));
  }

  get connections(): number {
    return this.#server.connections;
  }

  get pressure(): number {
    return this.#admission.pressure;
  }

  async listen(address: ListenAddress): Promise<ListenAddress> {
    const bound = await this.#server.listen(address);
    return { host: bound.address, port: bound.port };
  }

  mount(adapters: readonly [HttpProtocolAdapter, ...HttpProtocolAdapter[]]): void {
    this.#routes = createRouteTable(adapters);
    this.#fallback = adapters[0];
  }

  setAllowedHosts(allowedHosts: readonly string[]): void {
    this.#hosts = createHostGuard(allowedHosts);
  }

  async close(timeoutMs: number): Promise<void> {
    this.#closing.abort();
    await this.#server.drain(timeoutMs);
    this.#admission.close();
  }

  #begin(exchange: ServerExchange): void {
    const call = this.#admit(exchange);
    if (!call) return;
    const { resolution, request } = call;
    if (resolution.kind !== 'route' || !exchange.hasBody) {
      if (resolution.kind !== 'route' || !this.#upgrade(call, resolution.route)) this.#answer(call);
      return;
    }
    const limitBytes = resolution.route.bodyLimitBytes ?? DEFAULT_BODY_LIMIT_BYTES;
    const { framing } = exchange.head;
    if (framing.kind === 'length' && framing.length > limitBytes) {
      this.#send(call, this.#renderFault(call, tooLarge(limitBytes)));
      return;
    }
    exchange.readBody(limitBytes).then(
      (body) => {
        request.body = body;
        call.heldBytes = body.length;
        this.#answer(call);
      },
      (error: unknown) => {
        if (exchange.ended) return;
        const known = error instanceof HttpProtocolError && error.code === 'BODY_TOO_LARGE';
        this.#send(call, this.#renderFault(call, known ? tooLarge(limitBytes) : error));
      },
    );
  }

  /** Finds out what is asked for; answers by itself, and returns nothing, when it may not be asked. */
  #admit(exchange: ServerExchange): Call | undefined {
    const startedMs = this.#clock.now();
    const { head } = exchange;
    const fallback = this.#fallback;
    if (!fallback) {
      exchange.reply(503, TEXT_HEADERS, 'starting\n');
      return undefined;
    }
    let call: Call | undefined;
    try {
      const target = canonicalTarget(head.target, { encodedSlash: 'keep' });
      const requestId = this.#nextId(head.get('x-request-id'));
      const request = new ExchangeRequest(exchange, target, requestId, this.#closing.signal);
      const resolution = this.#routes.resolve(request.method, request.path);
      call = { exchange, request, resolution, fallback, startedMs, heldBytes: 0 };
      // A page may read, but not switch to a protocol by which it could write.
      const method = head.upgrade === undefined ? head.method : 'POST';
      this.#hosts.check(head.hostName, method, head.get('origin'));
      this.#admission.check(classOf(resolution));
      return call;
    } catch (error) {
      if (call) this.#send(call, this.#renderFault(call, error));
      else if (error instanceof HttpProtocolError) {
        const requestId = this.#nextId(head.get('x-request-id'));
        const headers = { ...PROBLEM_HEADERS, 'x-request-id': requestId };
        exchange.reply(error.status, headers, toProblem(error, requestId));
      } else throw error;
      return undefined;
    }
  }

  /** Switches the connection to a protocol that the route speaks; false where none was asked for. */
  #upgrade(call: Call, route: HttpRoute): boolean {
    const { exchange, request } = call;
    const wanted = exchange.head.upgrade;
    if (wanted === undefined || !route.upgrade) return false;
    const protocol = protocolsOf(wanted).find((each) => route.upgrade?.protocols.includes(each));
    if (protocol === undefined) return false;
    const taken = exchange.upgrade(protocol, fieldLinesOf(request.requestId));
    if (!taken) return false;
    this.#requests
      .labels(call.resolution.adapter?.name ?? call.fallback.name, request.method, '101')
      .inc();
    const connection = createUpgradedSocket({
      ...taken,
      remoteAddress: request.remoteAddress,
      requestId: request.requestId,
      shutdown: this.#closing.signal,
      admission: this.#admission,
    });
    route.upgrade.begin(connection, protocol);
    return true;
  }

  #leave(call: Call): void {
    const { admitted } = call;
    if (admitted === undefined) return;
    call.admitted = undefined;
    this.#admission.leave(admitted, call.heldBytes);
  }

  /** Only a request that is whole counts as under way: a slow sender has a connection, not a place. */
  #answer(call: Call): void {
    call.admitted = classOf(call.resolution);
    this.#admission.begin(call.admitted);
    this.#admission.hold(call.heldBytes);
    const reply = answer(call.resolution, call.request, call.fallback, this.#logger);
    if (!(reply instanceof Promise)) {
      this.#send(call, reply);
      return;
    }
    reply
      .then((settled) => this.#send(call, settled))
      .catch((error: unknown) => this.#abandon(call, error));
  }

  #renderFault(call: Call, error: unknown): ControlReply {
    const { resolution, fallback, request } = call;
    return renderFault(resolution.adapter ?? fallback, error, request, this.#logger);
  }

  #send(call: Call, reply: ControlReply): void {
    this.#leave(call);
    const { exchange, request, resolution, fallback } = call;
    const adapter = resolution.adapter ?? fallback;
    this.#requests.labels(adapter.name, request.method, String(reply.status)).inc();
    const headers = { ...reply.headers, 'x-request-id': request.requestId };
    const { body } = reply;
    if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) {
      exchange.reply(reply.status, headers, body);
      this.#latency.observe((this.#clock.now() - call.startedMs) / 1000);
      return;
    }
    if (request.method === 'HEAD') {
      exchange.startStream(reply.status, headers);
      exchange.end();
      body[Symbol.asyncIterator]()
        .return?.()
        .catch((error: unknown) => this.#abandon(call, error));
      return;
    }
    exchange
      .stream(reply.status, headers, body)
      .catch((error: unknown) => this.#abandon(call, error));
  }

  /** An answer that has begun cannot become an error: it is cut, so that the client sees it is not whole. */
  #abandon(call: Call, error: unknown): void {
    const { exchange, request } = call;
    exchange.destroy();
    if (request.signal.aborted || isRegistryError(error)) return;
    const { requestId, path } = request;
    this.#logger.error({ err: error, requestId, path }, 'an answer could not be completed');
  }
}

interface Call {
  readonly exchange: ServerExchange;
  readonly request: ExchangeRequest;
  readonly resolution: Resolution;
  readonly fallback: HttpProtocolAdapter;
  readonly startedMs: number;
  /** While the call counts as under way. */
  admitted?: RequestClass | undefined;
  heldBytes: number;
}

const PROBLEM_HEADERS = {
  'content-type': 'application/problem+json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
};
const TEXT_HEADERS = { 'content-type': 'text/plain; charset=utf-8' };

/** What no route answers costs little: it is a read, whatever its method. */
function classOf(resolution: Resolution): RequestClass {
  if (resolution.kind !== 'route') return 'read';
  const { admission, method } = resolution.route;
  return admission ?? (method === 'GET' || method === 'HEAD' ? 'read' : 'write');
}

/** RFC 9110 §7.8: a list in the client's order of preference. */
function protocolsOf(field: string): string[] {
  return field.split(',').map((each) => each.trim().toLowerCase());
}

function fieldLinesOf(requestId: string): string {
  return `x-request-id: ${requestId}\r\n`;
}

function tooLarge(limitBytes: number): RegistryError {
  const detail = `The body may have ${limitBytes} bytes at most here.`;
  return new RegistryError('BODY_TOO_LARGE', { detail });
}

/** RFC 9457, with the same fields as the API's own; the type tells that no operation has seen the request. */
function toProblem(error: HttpProtocolError, requestId: string): string {
  return JSON.stringify({
    type: `urn:portolan:protocol-error:${error.code}`,
    title: error.message,
    status: error.status,
    detail: `${error.message}.`,
    code: error.code,
    instance: requestId,
    retryable: error.status === 503 || error.status === 408,
    errors: [],
  });
}
