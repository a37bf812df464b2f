import type { Socket } from 'node:net';
import {
  type AttemptOutcome,
  backoffMs,
  DEFAULT_RETRY_BACKOFF,
  type OutlierSignal,
  type RetryBudget,
  type TimerHandle,
} from '@portolan/core';
import type { MessageFields, ResponseHead, UpstreamError } from '@portolan/http';
import {
  type CompiledDestination,
  type CompiledRoute,
  chooseDestination,
} from '../routing/compiled-route.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { UpstreamEndpoint } from '../upstream/upstream-endpoint.ts';
import { Attempt, type AttemptOwner, type OutgoingHead } from './attempt.ts';
import { chooseEndpoint } from './choose-endpoint.ts';
import type { ExchangeTimer } from './exchange-timer.ts';
import type { ForwardingOwner } from './forwarding-owner.ts';
import type { GatewayErrorCode } from './gateway-errors.ts';
import { editLines } from './header-edits.ts';
import type { ProxyContext } from './proxy-context.ts';
import type { ReplayBody } from './replay-body.ts';
import {
  type AttemptFailure,
  failureCode,
  isRepeatable,
  isUnsent,
  outlierSignal,
  type RetryableRequest,
  retriesAnswer,
  retryCharge,
} from './retry-decision.ts';
import { RetryWait } from './retry-wait.ts';
import { keptEndpoint } from './session-cookie.ts';

const NONE_TRIED: readonly UpstreamEndpoint[] = [];
const NONE_RUNNING: Attempt[] = [];

/** What is forwarded. */
export interface ForwardedRequest {
  readonly route: CompiledRoute;
  readonly head: OutgoingHead;
  /** Undefined when there is none. */
  readonly body: ReplayBody | undefined;
  readonly requestId: string;
  readonly timer: ExchangeTimer;
}

/** One request's way to an answer: tried at endpoints, one after the other or side by side, until one answers. */
export class Forwarding implements AttemptOwner {
  readonly #context: ProxyContext;
  readonly #owner: ForwardingOwner;
  readonly #request: ForwardedRequest;
  #destination: CompiledDestination | undefined;
  /** The one that answered, or the newest. */
  #attempt: Attempt | undefined;
  /** Hedged tries beside it. */
  #others = NONE_RUNNING;
  #tried = NONE_TRIED;
  #tries = 0;
  #connectTries = 0;
  #hedged = 0;
  readonly #wait = new RetryWait();
  #hedge: TimerHandle | undefined;
  #over = false;
  /** Where the answer comes from, or was last looked for. */
  endpoint: UpstreamEndpoint | undefined;

  constructor(context: ProxyContext, owner: ForwardingOwner, request: ForwardedRequest) {
    this.#context = context;
    this.#owner = owner;
    this.#request = request;
  }

  get responded(): boolean {
    return this.#attempt?.responded === true;
  }

  get tries(): number {
    return this.#tries + this.#connectTries;
  }

  start(): void {
    this.#try();
    const { route, head, body } = this.#request;
    if (!route.hedge || this.#over || body || head.upgrade !== undefined) return;
    if (isRepeatable(head.method)) this.#armHedge(route.hedge.delayMs);
  }

  /** A piece of the request's body; false says to wait for `onUpstreamDrain`. */
  write(piece: Buffer): boolean {
    const attempt = this.#attempt;
    return attempt?.ready === true && attempt.write(piece);
  }

  endBody(trailerLines: string): void {
    if (this.#attempt?.ready) this.#attempt.endBody(trailerLines);
  }

  pause(): void {
    this.#attempt?.pause();
  }

  resume(): void {
    this.#attempt?.resume();
  }

  /** The present try took too long. */
  tryExpired(): void {
    for (const other of this.#takeOthers()) {
      this.#giveUp(other, 'TRY_TIMEOUT');
      this.#tried = [...this.#tried, other.endpoint];
    }
    const attempt = this.#attempt;
    if (!attempt || attempt.responded) return;
    attempt.cancel();
    this.#attemptFailed(attempt, 'TRY_TIMEOUT', undefined);
  }

  /** Nothing is wanted any more. `blames` says that whoever was asked and did not answer is at fault. */
  cancel(blames: boolean): void {
    if (this.#over) return;
    for (const other of this.#takeOthers()) this.#giveUp(other, blames ? 'TRY_TIMEOUT' : undefined);
    const attempt = this.#attempt;
    if (attempt && blames && !attempt.responded) {
      attempt.destination.upstream.note(attempt.endpoint, 'failure');
    }
    attempt?.cancel();
    this.end();
  }

  onAttemptReady(attempt: Attempt): void {
    const { body } = this.#request;
    if (!body || attempt !== this.#attempt) return;
    if (body.begun) {
      if (!body.replayable) {
        attempt.cancel();
        this.#fail('UPSTREAM_CONNECTION_LOST');
        return;
      }
      for (const piece of body.pieces) attempt.write(piece);
      if (body.completed) attempt.endBody(body.trailerLines);
    }
    this.#owner.onUpstreamReady();
  }

  onUpstreamDrain(): void {
    this.#owner.onUpstreamDrain();
  }

  onInformational(head: ResponseHead): void {
    // Of tries side by side nobody knows yet which one is going to answer.
    if (this.#others.length === 0) this.#owner.onInformational(head);
  }

  onResponseHead(attempt: Attempt, head: ResponseHead): void {
    const { upstream } = attempt.destination;
    const failed = head.status >= 502 && head.status <= 504;
    upstream.note(attempt.endpoint, toSignal(head.status));
    this.#settle(attempt, failed ? 'failure' : 'success');
    if (this.#request.route.retries.looksAtAnswers && this.#retriesInstead(attempt, head)) return;
    this.#won(attempt);
    this.#owner.onAnswer(head, attempt.destination);
  }

  onResponseData(piece: Buffer): void {
    this.#owner.onAnswerData(piece);
  }

  onResponseEnd(attempt: Attempt, trailers: MessageFields | undefined): void {
    attempt.close();
    this.#owner.onAnswerEnd(trailers);
  }

  onSwitch(attempt: Attempt, head: ResponseHead, socket: Socket, surplus: Buffer): void {
    attempt.close();
    attempt.destination.upstream.note(attempt.endpoint, 'success');
    this.#won(attempt);
    this.#owner.onSwitch(head, socket, surplus);
  }

  onAttemptError(attempt: Attempt, error: UpstreamError): void {
    attempt.close();
    this.#attemptFailed(attempt, error.code, error);
  }

  #try(): void {
    const { route } = this.#request;
    // A retry stays in its subset, so that a canary's failure is not hidden by the others, unless the subset is empty.
    if (!this.#destination?.cluster.hasEndpoints) {
      this.#destination = chooseDestination(route, this.#owner, this.#context.random);
    }
    const destination = this.#destination;
    const endpoint = destination ? this.#choose(destination, this.#tried) : 'NO_HEALTHY_ENDPOINT';
    if (!destination || typeof endpoint === 'string') {
      this.#fail(typeof endpoint === 'string' ? endpoint : 'NO_HEALTHY_ENDPOINT');
      return;
    }
    this.#dial(destination, endpoint, undefined);
  }

  #choose(
    { cluster, upstream }: CompiledDestination,
    tried: readonly UpstreamEndpoint[],
  ): ReturnType<typeof chooseEndpoint> {
    const { limits, affinity, hash } = cluster;
    if (limits?.maxRequests !== undefined && upstream.active >= limits.maxRequests) {
      return 'UPSTREAM_OVERFLOW';
    }
    if (affinity) {
      const kept = keptEndpoint(affinity, { cluster, upstream }, this.#owner, this.#context);
      if (kept && !tried.includes(kept)) return kept;
    }
    const callerHash = hash === undefined ? 0 : this.#owner.callerHash(hash);
    return chooseEndpoint(cluster, tried, this.#context, callerHash);
  }

  #dial(
    destination: CompiledDestination,
    endpoint: UpstreamEndpoint,
    budget: RetryBudget | undefined,
  ): void {
    const { ip } = endpoint;
    if (ip === undefined) {
      this.#fail('NO_HEALTHY_ENDPOINT');
      return;
    }
    const { route, head, timer } = this.#request;
    this.endpoint = endpoint;
    this.#tries++;
    endpoint.active++;
    destination.upstream.active++;
    const edit = destination.requestEdit;
    const sent = edit ? { ...head, lines: editLines(head.lines, edit) } : head;
    const attempt = new Attempt(this, destination, endpoint, sent);
    attempt.budget = budget;
    this.#attempt = attempt;
    if (destination.cluster.balancer === 'ewma') attempt.startedMs = this.#context.clock.now();
    const { perTryTimeoutMs } = route.retries;
    if (perTryTimeoutMs !== undefined) {
      timer.tryEndMs = this.#context.clock.now() + perTryTimeoutMs;
      timer.arm();
    }
    const { transport } = endpoint;
    const dialled = head.upgrade === undefined ? transport.requests : transport.upgrades;
    const source = dialled.proxyProtocol === undefined ? undefined : this.#owner.proxySource;
    attempt.started(this.#context.pool.connect(ip, endpoint.port, attempt, dialled, source));
  }

  #attemptFailed(attempt: Attempt, failure: AttemptFailure, error: Error | undefined): void {
    const { upstream, cluster } = attempt.destination;
    if (isUnsent(failure)) {
      this.#connectTries++;
      this.#tries--;
    }
    const signal = outlierSignal(failure);
    if (signal) {
      upstream.note(attempt.endpoint, signal);
      this.#settle(attempt, 'failure');
    }
    this.#context.logger.debug(
      { requestId: this.#request.requestId, endpoint: attempt.endpoint.key, failure, err: error },
      'attempt failed',
    );
    if (attempt.responded) {
      this.end();
      this.#owner.onBroken(failureCode(failure));
      return;
    }
    this.#leave(attempt);
    this.#tried = [...this.#tried, attempt.endpoint];
    if (this.#attempt) return;
    const left = cluster.size - this.#tried.length;
    const charge = retryCharge(failure, this.#retryable(left > 0));
    const place = charge === 'budget' ? this.#place(attempt.destination) : undefined;
    if (charge === 'free' || place) this.#again(upstream, place, left);
    else this.#fail(failureCode(failure));
  }

  #retriesInstead(attempt: Attempt, head: ResponseHead): boolean {
    const { upstream, cluster } = attempt.destination;
    if (this.#others.length > 0) return false;
    const left = cluster.size - this.#tried.length - 1;
    if (!retriesAnswer(head, this.#retryable(left > 0))) return false;
    // Its own place is free for the next.
    attempt.budget?.release();
    attempt.budget = undefined;
    const place = this.#place(attempt.destination);
    if (!place) return false;
    attempt.discard(head);
    this.#leave(attempt);
    this.#tried = [...this.#tried, attempt.endpoint];
    this.#again(upstream, place, left);
    return true;
  }

  /** For balancers that learn. */
  #settle(attempt: Attempt, outcome: AttemptOutcome): void {
    const { cluster } = attempt.destination;
    if (cluster.balancer !== 'ewma') return;
    const latencyMs = this.#context.clock.now() - attempt.startedMs;
    cluster.settle(attempt.endpoint, outcome, latencyMs);
  }

  /** A retry's place, if the budget and the policy's own limit have one. */
  #place({ upstream, cluster }: CompiledDestination): RetryBudget | undefined {
    const { retryBudget } = upstream;
    const { maxRetries } = cluster.limits ?? {};
    if (maxRetries !== undefined && retryBudget.retrying >= maxRetries) return undefined;
    return retryBudget.tryAcquire(upstream.active) ? retryBudget : undefined;
  }

  #retryable(elsewhere: boolean): RetryableRequest {
    const { head, body, route } = this.#request;
    return {
      method: head.method,
      rule: route.retries,
      replayable: body === undefined || body.replayable,
      tries: this.#tries,
      connectTries: this.#connectTries,
      elsewhere,
    };
  }

  /** Tries again, now or later; `budget` is where a place was taken for it. */
  #again(upstream: Upstream, budget: RetryBudget | undefined, left: number): void {
    this.#context.countRetry();
    this.#request.timer.tryEndMs = Number.POSITIVE_INFINITY;
    const { backoff } = this.#request.route.retries;
    if (left > 0 && !backoff) {
      this.#tryAgain(budget);
      return;
    }
    // Only what failed before is left: not at once again.
    const { clock, random } = this.#context;
    const delayMs = backoffMs(this.#tried.length - 1, backoff ?? DEFAULT_RETRY_BACKOFF, random);
    this.#wait.start(clock, delayMs, { upstream, budget }, () => this.#tryAgain(budget));
  }

  #tryAgain(budget: RetryBudget | undefined): void {
    this.#try();
    if (!budget) return;
    if (this.#attempt) this.#attempt.budget = budget;
    else budget.release();
  }

  #armHedge(delayMs: number): void {
    this.#hedge = this.#context.clock.setTimer(delayMs, () => {
      this.#hedge = undefined;
      this.#startHedge();
    });
  }

  /** A try beside the slow one, elsewhere and within the budget. */
  #startHedge(): void {
    const { hedge } = this.#request.route;
    const first = this.#attempt;
    if (!hedge || !first || first.responded || this.#over) return;
    const { destination } = first;
    const busy = [...this.#tried, first.endpoint, ...this.#others.map((other) => other.endpoint)];
    const endpoint = this.#choose(destination, busy);
    const fresh = typeof endpoint !== 'string' && !busy.includes(endpoint);
    const place = fresh ? this.#place(destination) : undefined;
    if (fresh && place) {
      this.#hedged++;
      this.#context.countRetry();
      this.#others = [...this.#others, first];
      this.#dial(destination, endpoint, place);
    }
    if (this.#hedged < hedge.attempts && !this.#over) this.#armHedge(hedge.delayMs);
  }

  /** The others' answers are not wanted any more. */
  #won(attempt: Attempt): void {
    this.#request.timer.tryEndMs = Number.POSITIVE_INFINITY;
    this.#hedge?.cancel();
    this.#hedge = undefined;
    if (this.#others.length === 0) return;
    this.endpoint = attempt.endpoint;
    const running = [...this.#takeOthers(), ...(this.#attempt ? [this.#attempt] : [])];
    this.#attempt = attempt;
    for (const other of running) if (other !== attempt) this.#giveUp(other, undefined);
  }

  #takeOthers(): readonly Attempt[] {
    const others = this.#others;
    this.#others = NONE_RUNNING;
    return others;
  }

  #giveUp(attempt: Attempt, failure: 'TRY_TIMEOUT' | undefined): void {
    attempt.cancel();
    if (failure) attempt.destination.upstream.note(attempt.endpoint, 'failure');
    this.#release(attempt);
  }

  /** The attempt is over; one beside it takes its place. */
  #leave(attempt: Attempt): void {
    if (this.#attempt === attempt) {
      this.#attempt = this.#others.at(-1);
      if (this.#attempt) this.#others = this.#others.slice(0, -1);
    } else this.#others = this.#others.filter((other) => other !== attempt);
    this.#release(attempt);
  }

  #release(attempt: Attempt): void {
    const { endpoint, destination, budget } = attempt;
    attempt.budget = undefined;
    budget?.release();
    endpoint.active--;
    destination.upstream.active--;
    if (endpoint.draining && endpoint.active === 0) destination.upstream.endpointIdle(endpoint);
  }

  #fail(code: GatewayErrorCode): void {
    this.end();
    this.#owner.onFailed(code);
  }

  /** To be called when the answer is complete: gives back every place that was taken. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#hedge?.cancel();
    this.#hedge = undefined;
    for (const other of this.#takeOthers()) this.#giveUp(other, undefined);
    const attempt = this.#attempt;
    if (attempt) {
      this.#attempt = undefined;
      this.#release(attempt);
    }
    this.#wait.end();
  }
}

function toSignal(status: number): OutlierSignal {
  if (status < 500) return 'success';
  return status >= 502 && status <= 504 ? 'failure' : 'server-error';
}
