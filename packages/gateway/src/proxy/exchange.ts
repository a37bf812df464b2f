import type { Socket } from 'node:net';
import { type CallerKey, hashText, type TimerHandle } from '@portolan/core';
import {
  canonicalTarget,
  type ExchangeHandler,
  HttpProtocolError,
  type KeptPiece,
  type MessageFields,
  type ProxySource,
  type ResponseHead,
  type ServerExchange,
} from '@portolan/http';
import { callerOf } from '../routing/caller.ts';
import type { CompiledDestination } from '../routing/compiled-route.ts';
import { queryParameter } from '../routing/query-parameter.ts';
import { grpcTrailers } from '../transport/grpc-failure.ts';
import { CallerCookies } from './caller-cookies.ts';
import { clientAddress } from './client-address.ts';
import { ExchangeTimer, type ExchangeTimerOwner, type Expiry } from './exchange-timer.ts';
import { FilterRun, type FilterRunOwner } from './filter-run.ts';
import { Forwarding } from './forwarding.ts';
import type { ForwardingOwner } from './forwarding-owner.ts';
import { GATEWAY_ERRORS, type GatewayErrorCode } from './gateway-errors.ts';
import { isGrpcRequest, requestLimitMs } from './grpc-request.ts';
import { editLines } from './header-edits.ts';
import { ALLOW_AT_LAST_HOP, maxForwardsLeft } from './max-forwards.ts';
import { MirroredRequest } from './mirrored-request.ts';
import { toOutgoingHead } from './outgoing-head.ts';
import type { FoundRoute, ProxyContext } from './proxy-context.ts';
import { proxySource } from './proxy-source.ts';
import { type OwnAnswer, refusal } from './refusal.ts';
import { ReplayBody } from './replay-body.ts';
import { isSaneRequestId } from './request-id.ts';
import { ResponseDelivery } from './response-delivery.ts';
import { switchedProtocol, toResponseLines, toSwitchLines } from './response-headers.ts';
import { routeAnswer } from './route-answer.ts';
import { sessionCookieLine } from './session-cookie.ts';
import { toTrailerLines } from './trailers.ts';
import type { Peer } from './trusted-peers.ts';
import { Tunnel } from './tunnel.ts';

/** RFC 9110 §10.1.1: how long an upstream may keep a client waiting for leave to send its body. */
const CONTINUE_WAIT_MS = 1_000;

/** One request's life: found a route, passed its filters, forwarded or answered here, over. */
export class Exchange
  implements ExchangeHandler, ForwardingOwner, FilterRunOwner, ExchangeTimerOwner
{
  readonly #context: ProxyContext;
  readonly #server: ServerExchange;
  readonly #peer: Peer;
  readonly #startedMs: number;
  readonly #requestId: string;
  readonly #keepsRequestId: boolean;
  readonly #timer: ExchangeTimer;
  path = '';
  #query = '';
  #clientIp: string | undefined;
  #maxForwards: number | undefined;
  #found: FoundRoute | undefined;
  #filters: FilterRun | undefined;
  #forwarding: Forwarding | undefined;
  #delivery: ResponseDelivery | undefined;
  #mirrored: readonly MirroredRequest[] = [];
  #upgrade: string | undefined;
  #body: ReplayBody | undefined;
  #continueWait: TimerHandle | undefined;
  #cookies: CallerCookies | undefined;
  #errorCode: string | undefined;
  #received = 0;
  #finished = false;

  constructor(context: ProxyContext, server: ServerExchange) {
    this.#context = context;
    this.#server = server;
    this.#startedMs = context.clock.now();
    this.#timer = new ExchangeTimer(this, context.clock, context.deadlines);
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
    return this.#server.secure;
  }

  get clientIp(): string {
    this.#clientIp ??= clientAddress(this.#peer, this.#server.head, this.#context.peerOf);
    return this.#clientIp;
  }

  get proxySource(): ProxySource {
    return proxySource(this.#server, this.#peer, this.clientIp);
  }

  header(name: string): string | undefined {
    const value = this.#server.head.get(name);
    return name === 'cookie' && this.#cookies ? this.#cookies.joinedTo(value) : value;
  }

  callerHash(key: CallerKey): number {
    this.#knowCaller(key);
    const caller = callerOf(key, this);
    // Whoever does not say who it is may be anybody.
    return caller === undefined ? Math.floor(this.#context.random() * 2 ** 32) : hashText(caller);
  }

  queryParameter(name: string): string | undefined {
    return queryParameter(this.#query, name);
  }

  start(): void {
    const { head } = this.#server;
    if (!this.#context.admit()) {
      this.#fail('OVERLOADED');
      return;
    }
    try {
      const target = canonicalTarget(head.target);
      this.path = target.path;
      this.#query = target.query;
    } catch (error) {
      if (!(error instanceof HttpProtocolError)) throw error;
      this.#refuse(error.code, error.status, error.message);
      return;
    }
    this.#maxForwards = maxForwardsLeft(head);
    if (this.#maxForwards !== undefined && this.#maxForwards < 0) {
      this.#endHops();
      return;
    }
    const found = this.#context.findRoute(this);
    if (!found) {
      this.#fail('NO_ROUTE');
      return;
    }
    this.#found = found;
    this.#startTimer(found);
    const { filters } = found.route;
    if (filters.length === 0) this.onPassed();
    else {
      this.#filters = new FilterRun(
        filters,
        {
          requestId: this.#requestId,
          head,
          path: this.path,
          query: this.#query,
          clientIp: this.clientIp,
          secure: this.secure,
          hasBody: this.#server.hasBody,
        },
        this,
      );
      this.#filters.start();
    }
  }

  // The filters' side.

  onPassed(): void {
    const found = this.#found as FoundRoute;
    const own = routeAnswer(found, this.#server, this.path, this.#query);
    if (own) this.#answer(own.status, own);
    else this.#forward();
  }

  onFilterAnswer(status: number, lines: string, body: Buffer | undefined): void {
    this.#answer(status, { lines, body });
  }

  onFilterRefusal(code: GatewayErrorCode, lines: string): void {
    this.#fail(code, lines);
  }

  onFilterCut(): void {
    this.#errorCode = 'CUT';
    this.#server.destroy();
    this.#finish();
  }

  // The client's side.

  onBodyData(piece: Buffer, kept?: KeptPiece): void {
    this.#received += piece.length;
    if (this.#filters && !this.#filters.showBody(piece)) return;
    this.#body?.keep(piece, kept);
    for (const copy of this.#mirrored) copy.write(piece);
    if (this.#forwarding?.write(piece) === false) this.#server.pause();
    this.#timer.moved();
  }

  onBodyEnd(trailers: MessageFields | undefined): void {
    const lines = toTrailerLines(trailers);
    this.#body?.complete(lines);
    for (const copy of this.#mirrored) copy.endBody(lines);
    this.#forwarding?.endBody(lines);
  }

  onAbort(): void {
    this.#errorCode ??= 'CLIENT_GONE';
    this.#forwarding?.cancel(false);
    this.#finish();
  }

  onDrain(): void {
    this.#timer.moved();
    this.#delivery?.onClientDrain();
  }

  // The upstream's side.

  onUpstreamReady(): void {
    if (this.#server.ended) return;
    // RFC 9110 §10.1.1: the upstream decides whether the body is wanted.
    if (this.#server.awaitsContinue) {
      this.#continueWait ??= this.#context.clock.setTimer(CONTINUE_WAIT_MS, () =>
        this.#askForBody(),
      );
    } else if (this.#body?.completed === false) this.#server.resume();
  }

  onUpstreamDrain(): void {
    this.#server.resume();
  }

  onInformational(head: ResponseHead): void {
    if (head.status === 100) this.#askForBody();
    else this.#server.sendInformational(head.status, toResponseLines(head, this.#requestId));
  }

  onAnswer(head: ResponseHead, destination: CompiledDestination): void {
    const { route } = this.#found as FoundRoute;
    route.metrics.latency.observe((this.#context.clock.now() - this.#startedMs) / 1_000);
    this.#body?.drop();
    this.#continueWait?.cancel();
    if (route.timeoutMs === undefined) this.#timer.endMs = Number.POSITIVE_INFINITY;
    this.#timer.idleMs = route.idleTimeoutMs ?? this.#context.limits.streamIdleTimeoutMs;
    const delivery = new ResponseDelivery(this.#server, this.#forwarding as Forwarding);
    this.#delivery = delivery;
    const session = sessionCookieLine(destination, this.#forwarding?.endpoint, this, this.#context);
    const lines = toResponseLines(head, this.#requestId) + (this.#cookies?.lines ?? '') + session;
    delivery.start(head, lines, [destination.responseEdit, route.responseEdit], {
      filters: this.#filters,
      onFailed: () => this.onBroken('INTERNAL'),
    });
    if (head.framing.kind !== 'none') this.#timer.arm();
  }

  onAnswerData(piece: Buffer): void {
    this.#delivery?.write(piece);
    this.#timer.moved();
  }

  onAnswerEnd(trailers: MessageFields | undefined): void {
    const delivery = this.#delivery as ResponseDelivery;
    this.#forwarding?.end();
    if (delivery.end(toTrailerLines(trailers), () => this.#finish())) this.#finish();
  }

  onSwitch(head: ResponseHead, upstream: Socket, surplus: Buffer): void {
    const protocol = switchedProtocol(head);
    if (protocol?.toLowerCase() !== this.#upgrade?.toLowerCase() || !protocol) {
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
    this.#timer.stop();
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

  onFailed(code: GatewayErrorCode): void {
    this.#fail(code);
  }

  onBroken(code: GatewayErrorCode): void {
    this.#errorCode = code;
    this.#forwarding?.cancel(false);
    this.#breakOff(code);
    this.#finish();
  }

  onExpired(expiry: Expiry): void {
    const forwarding = this.#forwarding;
    if (expiry === 'try' && forwarding && !forwarding.responded) {
      forwarding.tryExpired();
      return;
    }
    forwarding?.cancel(true);
    const timed = this.#found?.route.timeoutMs !== undefined || expiry === 'idle';
    this.#fail(timed ? 'REQUEST_TIMEOUT' : 'UPSTREAM_TIMEOUT');
  }

  #startTimer({ route }: FoundRoute): void {
    const timer = this.#timer;
    const limitMs = route.timeoutMs ?? this.#context.limits.responseTimeoutMs;
    timer.endMs = this.#startedMs + requestLimitMs(this.#server.head, limitMs);
    if (route.idleTimeoutMs !== undefined) timer.idleMs = route.idleTimeoutMs;
    timer.arm();
  }

  #forward(): void {
    const found = this.#found as FoundRoute;
    const { route } = found;
    const server = this.#server;
    let head = toOutgoingHead(server.head, this.path + this.#query, this.path.length, found, {
      peer: this.#peer,
      requestId: this.#requestId,
      keepsRequestId: this.#keepsRequestId,
      port: server.localPort,
      secure: server.secure,
      protocol: server.protocol,
      clientCertificate: server.tls?.clientCertificate,
      maxForwards: this.#maxForwards,
    });
    if (!head) {
      this.#fail('REWRITE_INVALID');
      return;
    }
    const filtered = this.#filters?.requestEdit;
    if (filtered || route.requestEdit) {
      head = { ...head, lines: editLines(editLines(head.lines, filtered), route.requestEdit) };
    }
    this.#upgrade = head.upgrade;
    if (route.sticky) this.#knowCaller(route.sticky);
    if (server.hasBody) this.#body = new ReplayBody(this.#context.limits.replayBytes, head.framing);
    if (route.mirrors.length > 0) {
      const source = this.proxySource;
      this.#mirrored = MirroredRequest.startAll(this.#context, route.mirrors, head, source);
    }
    this.#forwarding = new Forwarding(this.#context, this, {
      route,
      head,
      body: this.#body,
      requestId: this.#requestId,
      timer: this.#timer,
    });
    this.#forwarding.start();
  }

  #knowCaller(key: CallerKey): void {
    this.#cookies ??= new CallerCookies();
    this.#cookies.give(key, this, this.#context.random);
  }

  #askForBody(): void {
    this.#continueWait?.cancel();
    this.#server.sendContinue();
    this.#server.resume();
  }

  /** RFC 9110 §7.6.2: we are the final recipient. */
  #endHops(): void {
    if (this.method === 'OPTIONS') this.#answer(204, { lines: ALLOW_AT_LAST_HOP, body: undefined });
    else this.#fail('MAX_FORWARDS_REACHED');
  }

  /** A gRPC client is told in the trailers why its answer ends here; others see it cut. */
  #breakOff(code: GatewayErrorCode): void {
    const { status, message } = GATEWAY_ERRORS[code];
    const told = isGrpcRequest(this.#server.head);
    this.#delivery?.breakOff(told ? grpcTrailers(status, code, message) : undefined);
  }

  #fail(code: GatewayErrorCode, lines = ''): void {
    const { status, message } = GATEWAY_ERRORS[code];
    if (this.#delivery) this.onBroken(code);
    else this.#refuse(code, status, message, lines);
  }

  #refuse(code: string, status: number, message: string, lines = ''): void {
    this.#errorCode = code;
    const grpc = isGrpcRequest(this.#server.head);
    const answer = refusal({ code, status, message, requestId: this.#requestId, grpc });
    this.#answer(answer.status, { lines: answer.lines + lines, body: answer.body });
  }

  /** An answer of the gateway's own; a response already begun can only be cut. */
  #answer(status: number, answer: OwnAnswer): void {
    const server = this.#server;
    this.#forwarding?.cancel(false);
    if (server.status !== 0) server.destroy();
    else if (!server.ended) {
      ResponseDelivery.sendOwn(server, status, answer, this.#requestId, this.#filters);
    }
    this.#finish();
  }

  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#timer.stop();
    this.#continueWait?.cancel();
    this.#forwarding?.end();
    this.#body?.drop();
    this.#delivery?.close();
    for (const copy of this.#mirrored) copy.abort();
    this.#filters?.end();
    this.#context.ended(this.#found?.route, this.#server.status);
    if (this.#context.accessLog) this.#log(this.#context.accessLog);
  }

  #log(accessLog: NonNullable<ProxyContext['accessLog']>): void {
    const forwarding = this.#forwarding;
    accessLog({
      requestId: this.#requestId,
      method: this.method,
      host: this.host,
      path: this.path,
      peer: this.#peer.ip,
      protocol: this.#server.protocol,
      secure: this.#server.secure,
      status: this.#server.status,
      receivedBytes: this.#received,
      sentBytes: this.#delivery?.bytes ?? 0,
      route: this.#found?.route.name,
      endpoint: forwarding?.endpoint,
      tries: forwarding?.tries ?? 0,
      durationMs: this.#context.clock.now() - this.#startedMs,
      errorCode: this.#errorCode,
      head: this.#server.head,
    });
  }
}
