import type { Socket } from 'node:net';
import {
  backoffMs,
  DEFAULT_RETRY_BACKOFF,
  type RetryBudget,
  type TimerHandle,
} from '@portolan/core';
import {
  canonicalTarget,
  type ExchangeHandler,
  HttpProtocolError,
  type MessageFields,
  NO_BODY,
  type ResponseHead,
  type ServerExchange,
  type UpstreamError,
} from '@portolan/http';
import { type CompiledDestination, chooseDestination } from '../routing/compiled-route.ts';
import { queryParameter } from '../routing/query-parameter.ts';
import type { RouteQuery } from '../routing/route-match.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { UpstreamEndpoint } from '../upstream/upstream-endpoint.ts';
import { Attempt, type AttemptOwner, type OutgoingHead } from './attempt.ts';
import { chooseEndpoint } from './choose-endpoint.ts';
import { clientAddress } from './client-address.ts';
import type { Deadline, DeadlineOwner } from './deadlines.ts';
import { GATEWAY_ERRORS, type GatewayErrorCode } from './gateway-errors.ts';
import { maxForwardsLeft } from './max-forwards.ts';
import { toOutgoingHead } from './outgoing-head.ts';
import type { FoundRoute, ProxyContext } from './proxy-context.ts';
import { refuse } from './refusal.ts';
import { ReplayBody } from './replay-body.ts';
import { isSaneRequestId } from './request-id.ts';
import { switchedProtocol, toResponseLines, toSwitchLines } from './response-headers.ts';
import {
  type AttemptFailure,
  failureCode,
  isUnsent,
  outlierSignal,
  retryCharge,
} from './retry-decision.ts';
import type { Peer } from './trusted-peers.ts';
import { Tunnel } from './tunnel.ts';

const NONE_TRIED: readonly UpstreamEndpoint[] = [];

/** One request's life: found a route, tried at endpoints, answered once. */
export class Exchange implements ExchangeHandler, AttemptOwner, DeadlineOwner, RouteQuery {
  readonly #context: ProxyContext;
  readonly #server: ServerExchange;
  readonly #peer: Peer;
  readonly #startedMs: number;
  readonly #requestId: string;
  readonly #keepsRequestId: boolean;
  path = '';
  #query = '';
  #clientIp: string | undefined;
  #found: FoundRoute | undefined;
  #destination: CompiledDestination | undefined;
  #head: OutgoingHead | undefined;
  #attempt: Attempt | undefined;
  #tried = NONE_TRIED;
  #tries = 0;
  #connectTries = 0;
  /** Where the present retry took a place. */
  #budget: RetryBudget | undefined;
  #deadline: Deadline | undefined;
  /** When the exchange has to be over; Infinity once only silence ends it. */
  #endMs = 0;
  #tryEndMs = Number.POSITIVE_INFINITY;
  #backoff: TimerHandle | undefined;
  #waitingAt: Upstream | undefined;
  #body: ReplayBody | undefined;
  #errorCode: string | undefined;
  #finished = false;

  constructor(context: ProxyContext, server: ServerExchange) {
    this.#context = context;
    this.#server = server;
    this.#startedMs = context.clock.now();
    this.#peer = context.peerOf(server.remoteAddress);
    const given = this.#peer.trusted ? server.head.get('x-request-id') : undefined;
    this.#keepsRequestId = given !== undefined && isSaneRequestId(given);
    this.#requestId = given !== undefined && this.#keepsRequestId ? given : context.nextRequestId();
    server.handler = this;
    server.autoContinue = false;
  }

  get host(): string {
    return this.#server.head.hostName;
  }

  get method(): string {
    return this.#server.head.method;
  }

  get secure(): boolean {
    return false;
  }

  get clientIp(): string {
    this.#clientIp ??= clientAddress(this.#peer, this.#server.head, this.#context.peerOf);
    return this.#clientIp;
  }

  header(name: string): string | undefined {
    return this.#server.head.get(name);
  }

  queryParameter(name: string): string | undefined {
    return queryParameter(this.#query, name);
  }

  start(): void {
    const { head } = this.#server;
    try {
      const target = canonicalTarget(head.target);
      this.path = target.path;
      this.#query = target.query;
    } catch (error) {
      if (!(error instanceof HttpProtocolError)) throw error;
      this.#refuse(error.code, error.status, error.message);
      return;
    }
    const maxForwards = maxForwardsLeft(head);
    if (maxForwards !== undefined && maxForwards < 0) {
      // RFC 9110 §7.6.2: we are the final recipient.
      if (head.method === 'OPTIONS')
        this.#server.send(204, 'Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n');
      else this.#fail('MAX_FORWARDS_REACHED');
      this.#finish();
      return;
    }
    const found = this.#context.findRoute(this);
    if (!found) {
      this.#fail('NO_ROUTE');
      return;
    }
    this.#found = found;
    this.#head = toOutgoingHead(head, this.path + this.#query, this.path.length, found, {
      peer: this.#peer,
      requestId: this.#requestId,
      keepsRequestId: this.#keepsRequestId,
      port: this.#context.port,
      maxForwards,
    });
    if (this.#server.hasBody) this.#body = new ReplayBody(this.#context.limits.replayBytes);
    this.#deadline = this.#context.deadlines.take(this);
    this.#endMs =
      this.#startedMs + (found.route.timeoutMs ?? this.#context.limits.responseTimeoutMs);
    this.#try();
  }

  // The client's side.

  onBodyData(piece: Buffer): void {
    const attempt = this.#attempt;
    this.#body?.keep(piece);
    if (attempt?.ready && !attempt.write(piece)) this.#server.pause();
    if (attempt?.responded) this.#armIdle();
  }

  onBodyEnd(): void {
    this.#body?.complete();
    this.#attempt?.endBody();
  }

  onAbort(): void {
    this.#errorCode ??= 'CLIENT_GONE';
    this.#attempt?.cancel();
    this.#finish();
  }

  onDrain(): void {
    this.#armIdle();
    this.#attempt?.resume();
  }

  // The upstream's side.

  onAttemptReady(attempt: Attempt): void {
    if (this.#server.ended) return;
    const body = this.#body;
    if (!body || attempt !== this.#attempt) return;
    if (body.begun) {
      for (const piece of body.pieces) attempt.write(piece);
      if (body.completed) attempt.endBody();
    }
    // RFC 9110 §10.1.1: the upstream decides whether the body is wanted.
    if (!body.completed && !this.#server.awaitsContinue) this.#server.resume();
  }

  onUpstreamDrain(): void {
    this.#server.resume();
  }

  onInformational(head: ResponseHead): void {
    if (head.status === 100) {
      this.#server.sendContinue();
      this.#server.resume();
    } else this.#server.sendInformational(head.status, toResponseLines(head, this.#requestId));
  }

  onResponseHead(attempt: Attempt, head: ResponseHead): void {
    const failed = head.status >= 502 && head.status <= 504;
    this.#destination?.upstream.note(attempt.endpoint, failed ? 'failure' : 'success');
    this.#found?.route.metrics.latency.observe(
      (this.#context.clock.now() - this.#startedMs) / 1_000,
    );
    this.#body?.drop();
    this.#tryEndMs = Number.POSITIVE_INFINITY;
    if (this.#found?.route.timeoutMs === undefined) this.#endMs = Number.POSITIVE_INFINITY;
    const declared =
      head.declared.kind === 'none' && this.method === 'HEAD' ? NO_BODY : head.declared;
    this.#server.sendHead(head.status, toResponseLines(head, this.#requestId), declared);
    if (head.framing.kind !== 'none') this.#armIdle();
  }

  onResponseData(piece: Buffer): void {
    if (!this.#server.write(piece)) this.#attempt?.pause();
    this.#armIdle();
  }

  onResponseEnd(attempt: Attempt, trailers: MessageFields | undefined): void {
    attempt.close();
    this.#server.end(undefined, trailers?.linesWithout(0).replace(/^\r\n$/, ''));
    this.#finish();
  }

  onSwitch(attempt: Attempt, head: ResponseHead, upstream: Socket, surplus: Buffer): void {
    attempt.close();
    const protocol = switchedProtocol(head);
    if (protocol?.toLowerCase() !== this.#head?.upgrade?.toLowerCase() || !protocol) {
      upstream.destroy();
      this.#fail('UPSTREAM_SWITCH_UNASKED');
      return;
    }
    const client = this.#server.upgrade(protocol, toSwitchLines(head));
    if (!client) {
      upstream.destroy();
      this.#finish();
      return;
    }
    this.#destination?.upstream.note(attempt.endpoint, 'success');
    this.#giveDeadline();
    new Tunnel(
      client,
      { socket: upstream, surplus },
      {
        deadlines: this.#context.deadlines,
        idleTimeoutMs: this.#context.limits.tunnelIdleTimeoutMs,
        onClosed: () => this.#finish(),
      },
    );
  }

  onAttemptError(attempt: Attempt, error: UpstreamError): void {
    attempt.close();
    this.#attemptFailed(attempt, error.code, error);
  }

  onDeadline(): void {
    const nowMs = this.#context.clock.now();
    const attempt = this.#attempt;
    if (nowMs < this.#endMs && nowMs >= this.#tryEndMs && attempt && !attempt.responded) {
      attempt.cancel();
      this.#attemptFailed(attempt, 'TRY_TIMEOUT', undefined);
      return;
    }
    if (nowMs < this.#endMs && !attempt?.responded) {
      this.#arm();
      return;
    }
    if (attempt && !attempt.responded) {
      this.#destination?.upstream.note(attempt.endpoint, 'failure');
    }
    attempt?.cancel();
    this.#fail(this.#found?.route.timeoutMs === undefined ? 'UPSTREAM_TIMEOUT' : 'REQUEST_TIMEOUT');
  }

  #try(): void {
    const { route } = this.#found as FoundRoute;
    const context = this.#context;
    // A retry stays in its subset, so that a canary's failure is not hidden by the others, unless the subset is empty.
    if (!this.#destination?.cluster.hasEndpoints) {
      this.#destination = chooseDestination(route, this, context.random);
    }
    const destination = this.#destination;
    if (!destination) {
      this.#fail('NO_HEALTHY_ENDPOINT');
      return;
    }
    const endpoint = chooseEndpoint(destination.cluster, this.#tried, context);
    if (typeof endpoint === 'string' || endpoint.ip === undefined) {
      this.#fail(typeof endpoint === 'string' ? endpoint : 'NO_HEALTHY_ENDPOINT');
      return;
    }
    this.#tries++;
    endpoint.active++;
    destination.upstream.active++;
    const attempt = new Attempt(this, endpoint, this.#head as OutgoingHead);
    this.#attempt = attempt;
    const perTryMs = route.retries.perTryTimeoutMs;
    if (perTryMs !== undefined) this.#tryEndMs = context.clock.now() + perTryMs;
    this.#arm();
    attempt.started(context.pool.connect(endpoint.ip, endpoint.port, attempt));
  }

  #attemptFailed(attempt: Attempt, failure: AttemptFailure, error: Error | undefined): void {
    const destination = this.#destination as CompiledDestination;
    const { upstream } = destination;
    if (isUnsent(failure)) {
      this.#connectTries++;
      this.#tries--;
    }
    const signal = outlierSignal(failure);
    if (signal) upstream.note(attempt.endpoint, signal);
    this.#context.logger.debug(
      { requestId: this.#requestId, endpoint: attempt.endpoint.key, failure, err: error },
      'attempt failed',
    );
    if (this.#server.status !== 0 || this.#server.ended) {
      this.#errorCode = failureCode(failure);
      this.#server.destroy();
      this.#finish();
      return;
    }
    this.#leaveEndpoint();
    const left = destination.cluster.size - this.#tried.length - 1;
    const charge = retryCharge(failure, {
      method: this.method,
      replayable: this.#body === undefined || this.#body.replayable,
      tries: this.#tries,
      connectTries: this.#connectTries,
      attempts: this.#found?.route.retries.attempts ?? 0,
      elsewhere: left > 0,
    });
    const { retryBudget } = upstream;
    const granted =
      charge === 'free' || (charge === 'budget' && retryBudget.tryAcquire(upstream.active));
    if (!granted) {
      this.#fail(failureCode(failure));
      return;
    }
    if (charge === 'budget') this.#budget = retryBudget;
    this.#context.countRetry();
    this.#tried = [...this.#tried, attempt.endpoint];
    this.#tryEndMs = Number.POSITIVE_INFINITY;
    if (left > 0) this.#try();
    else this.#waitToTry(upstream);
  }

  /** Only what failed before is left: not at once again. */
  #waitToTry(upstream: Upstream): void {
    const { clock, random } = this.#context;
    const delayMs = backoffMs(this.#tried.length - 1, DEFAULT_RETRY_BACKOFF, random);
    upstream.waiting++;
    this.#waitingAt = upstream;
    this.#backoff = clock.setTimer(delayMs, () => {
      this.#try();
      this.#endWaiting();
    });
  }

  #endWaiting(): void {
    this.#backoff?.cancel();
    this.#backoff = undefined;
    const upstream = this.#waitingAt;
    this.#waitingAt = undefined;
    if (!upstream) return;
    upstream.waiting--;
    upstream.dropIfUnused();
  }

  #releaseBudget(): void {
    this.#budget?.release();
    this.#budget = undefined;
  }

  #leaveEndpoint(): void {
    const attempt = this.#attempt;
    const upstream = this.#destination?.upstream;
    this.#attempt = undefined;
    if (!attempt || !upstream) return;
    attempt.endpoint.active--;
    upstream.active--;
    this.#releaseBudget();
    if (attempt.endpoint.draining && attempt.endpoint.active === 0) {
      upstream.endpointIdle(attempt.endpoint);
    }
  }

  #fail(code: GatewayErrorCode): void {
    const { status, message } = GATEWAY_ERRORS[code];
    this.#refuse(code, status, message);
  }

  #refuse(code: string, status: number, message: string): void {
    this.#errorCode = code;
    refuse(this.#server, code, status, message, this.#requestId);
    this.#finish();
  }

  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    const endpoint = this.#attempt?.endpoint;
    this.#leaveEndpoint();
    this.#releaseBudget();
    this.#endWaiting();
    this.#giveDeadline();
    const { status } = this.#server;
    const metrics = this.#found?.route.metrics;
    if (metrics) metrics.requests[Math.floor(status / 100)]?.inc();
    else this.#context.countUnrouted(status);
    this.#context.accessLog?.({
      requestId: this.#requestId,
      method: this.method,
      host: this.host,
      path: this.path,
      peer: this.#peer.ip,
      status,
      route: this.#found?.route.name,
      endpoint: endpoint?.key,
      tries: this.#tries + this.#connectTries,
      durationMs: this.#context.clock.now() - this.#startedMs,
      errorCode: this.#errorCode,
    });
  }

  #arm(): void {
    if (!this.#deadline) return;
    const untilMs = Math.min(this.#endMs, this.#tryEndMs);
    this.#context.deadlines.arm(this.#deadline, Math.max(0, untilMs - this.#context.clock.now()));
  }

  /** Without an end of its own a stream lives for as long as something moves. */
  #armIdle(): void {
    if (this.#deadline && this.#endMs === Number.POSITIVE_INFINITY) {
      this.#context.deadlines.arm(this.#deadline, this.#context.limits.streamIdleTimeoutMs);
    }
  }

  #giveDeadline(): void {
    if (this.#deadline) this.#context.deadlines.give(this.#deadline);
    this.#deadline = undefined;
  }
}
