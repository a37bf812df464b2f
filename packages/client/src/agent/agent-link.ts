import {
  AGENT_LIMITS,
  type Clock,
  decodeNumbers,
  encodeFrame,
  encodeJsonFrame,
  encodeNumbers,
  FRAME,
  type Frame,
  FrameReader,
  type FrameType,
  type TimerHandle,
} from '@portolan/core';
import { PortolanError } from '../http/portolan-error.ts';
import { fromProblemDocument } from '../http/problem-document.ts';
import type { AgentSocket } from './agent-socket.ts';

/** Answers are longer than what they answer, by a few kilobytes an instance. */
const ANSWER_LIMIT_BYTES = 16 * 1024 * 1024;
const DEFAULT_PING_MS = 20_000;

export interface AgentLinkOptions {
  /** For HELLO and for each answer. */
  readonly timeoutMs: number;
}

export interface AgentLinkDeps {
  readonly clock: Clock;
  /** Told once: nothing can be asked any more. `leaving`: the server said GOAWAY. */
  readonly onClosed: (leaving: boolean) => void;
}

/** One connection that speaks the agent protocol: asks, and matches answers with what was asked. */
export interface AgentLink {
  readonly url: string;
  /** Resolves with HELLO; rejects when the connection ended before. */
  readonly ready: Promise<void>;
  /** Whether more may be asked: not after GOAWAY, and not when it is closed. */
  readonly open: boolean;
  /** Requests that wait for the server's disk at a time. */
  readonly window: number;
  /** Longest payload that the server takes. */
  readonly frameBytes: number;
  /** How many of the asked that count against the window wait for their answer. */
  readonly waiting: number;
  /** Resolves with the payload of the answer; rejects with what the server or the connection says. */
  ask(type: FrameType, payload: object | readonly number[], counts: boolean): Promise<LinkAnswer>;
  /** Something will be asked in a moment: the process is kept alive until then. */
  expect(): void;
  /** Ends it once everything asked was answered. */
  close(): void;
  destroy(): void;
}

/** What was answered: results of items, or the numbers of RENEWED with the roles told before. */
export interface LinkAnswer {
  readonly results?: unknown;
  readonly numbers?: readonly number[];
  readonly roles?: unknown;
}

interface Asked {
  readonly counts: boolean;
  readonly timer: TimerHandle;
  roles?: unknown;
  resolve(answer: LinkAnswer): void;
  reject(error: PortolanError): void;
}

export function createAgentLink(
  socket: AgentSocket,
  options: AgentLinkOptions,
  deps: AgentLinkDeps,
): AgentLink {
  const { clock } = deps;
  const { timeoutMs } = options;
  const reader = new FrameReader('server', ANSWER_LIMIT_BYTES);
  const asked = new Map<number, Asked>();
  const hello = Promise.withResolvers<void>();
  // Whoever does not wait for it sees `open`.
  hello.promise.catch(() => undefined);
  let state: 'greeting' | 'open' | 'leaving' | 'closed' = 'greeting';
  let goneAway = false;
  let request = 0;
  let waiting = 0;
  let window: number = AGENT_LIMITS.window;
  let frameBytes: number = AGENT_LIMITS.frameBytes;
  let pingMs = DEFAULT_PING_MS;
  let saidMs = clock.now();
  let heardMs = clock.now();
  let failure: PortolanError | undefined;
  let timer = clock.setTimer(timeoutMs, () =>
    fail(broken(`${socket.url} did not greet within ${timeoutMs} ms`)),
  );

  socket.start({
    onData(piece) {
      heardMs = clock.now();
      reader.feed(piece);
      try {
        for (let frame = reader.next(); frame && state !== 'closed'; frame = reader.next()) {
          take(frame);
        }
      } catch (cause) {
        fail(broken(`${socket.url} broke the agent protocol`, cause));
      }
      reader.keep();
    },
    onDrain: () => undefined,
    onClosed: () => finish(broken(`The connection to ${socket.url} ended`)),
  });
  socket.hold(true);

  function take(frame: Frame): void {
    const { type, payload } = frame;
    if (type === FRAME.PING) {
      say(encodeFrame(FRAME.PONG, frame.request, payload));
    } else if (type === FRAME.HELLO) greet(readJson(payload));
    else if (type === FRAME.GOAWAY) {
      goneAway = true;
      if (state === 'open') state = 'leaving';
      endWhenDone();
    } else if (type === FRAME.ROLES) {
      const one = asked.get(frame.request);
      if (one) one.roles = readJson(payload).roles;
    } else if (type === FRAME.ERROR && frame.request === 0) {
      fail(toError(readJson(payload), socket.url));
    } else if (type !== FRAME.PONG) settle(frame);
  }

  function greet(document: Record<string, unknown>): void {
    if (state !== 'greeting') return;
    const limits = asRecord(document.limits);
    window = asCount(limits.window) ?? window;
    frameBytes = asCount(limits.frameBytes) ?? frameBytes;
    pingMs = asCount(document.pingMs) ?? pingMs;
    state = 'open';
    timer.cancel();
    timer = clock.setTimer(pingMs / 2, look);
    hold();
    hello.resolve();
  }

  function settle(frame: Frame): void {
    const one = asked.get(frame.request);
    // Given up because it came too late.
    if (!one) return;
    forget(frame.request, one);
    if (frame.type === FRAME.ERROR) one.reject(toError(readJson(frame.payload), socket.url));
    else if (frame.type === FRAME.RENEWED) {
      const numbers = decodeNumbers(frame.payload);
      if (numbers) one.resolve({ numbers, roles: one.roles });
      else one.reject(broken(`${socket.url} broke the agent protocol`));
    } else one.resolve({ results: readJson(frame.payload).results });
    endWhenDone();
  }

  function forget(number: number, one: Asked): void {
    asked.delete(number);
    one.timer.cancel();
    if (one.counts) waiting -= 1;
    hold();
  }

  /** Pings when there is nothing to say, and gives up on a server that no longer answers. */
  function look(): void {
    timer = clock.setTimer(pingMs / 2, look);
    const nowMs = clock.now();
    if (nowMs - heardMs > pingMs + timeoutMs) {
      fail(broken(`${socket.url} has not been heard for ${Math.round(nowMs - heardMs)} ms`));
    } else if (nowMs - saidMs >= pingMs / 2) say(encodeFrame(FRAME.PING, 0));
  }

  function say(frame: Uint8Array): void {
    saidMs = clock.now();
    socket.write(frame);
  }

  /** The process is kept alive only by what it still waits for. */
  function hold(): void {
    if (state !== 'closed') socket.hold(asked.size > 0 || state === 'greeting');
  }

  function endWhenDone(): void {
    if (state !== 'leaving' || asked.size > 0) return;
    socket.end();
    finish(broken(`The connection to ${socket.url} was ended`));
  }

  function fail(error: PortolanError): void {
    failure ??= error;
    socket.destroy();
    finish(error);
  }

  function finish(error: PortolanError): void {
    if (state === 'closed') return;
    state = 'closed';
    timer.cancel();
    const cause = failure ?? error;
    hello.reject(cause);
    for (const [number, one] of [...asked]) {
      forget(number, one);
      one.reject(cause);
    }
    deps.onClosed(goneAway);
  }

  return {
    url: socket.url,
    ready: hello.promise,
    get open() {
      return state === 'open';
    },
    get window() {
      return window;
    },
    get frameBytes() {
      return frameBytes;
    },
    get waiting() {
      return waiting;
    },
    ask(type, payload, counts) {
      if (state !== 'open') return Promise.reject(broken(`The connection to ${socket.url} ended`));
      request += 1;
      const number = request;
      const answer = Promise.withResolvers<LinkAnswer>();
      const sentMs = clock.now();
      const one: Asked = {
        counts,
        resolve: answer.resolve,
        reject: answer.reject,
        timer: clock.setTimer(timeoutMs, () => {
          const late = broken(`${socket.url} did not answer within ${timeoutMs} ms`);
          // Not a word since: the connection is dead, and no lease may wait until that is certain.
          if (heardMs <= sentMs) fail(late);
          else {
            forget(number, one);
            one.reject(late);
            endWhenDone();
          }
        }),
      };
      asked.set(number, one);
      if (counts) waiting += 1;
      hold();
      say(
        Array.isArray(payload)
          ? encodeFrame(type, number, encodeNumbers(payload as readonly number[]))
          : encodeJsonFrame(type, number, payload),
      );
      return answer.promise;
    },
    expect() {
      if (state === 'open') socket.hold(true);
    },
    close() {
      if (state !== 'open') return;
      state = 'leaving';
      endWhenDone();
    },
    destroy: () => fail(broken(`The connection to ${socket.url} was given up`)),
  };
}

function readJson(payload: Uint8Array): Record<string, unknown> {
  return asRecord(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload)));
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function asCount(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : undefined;
}

/** The error that a problem document says; its delay stands in the document. */
export function toError(document: unknown, url: string): PortolanError {
  const problem = asRecord(document);
  const status = typeof problem.status === 'number' ? problem.status : 0;
  const retryAfterMs = asCount(problem.retryAfterMs);
  return (
    fromProblemDocument(problem, status, url, retryAfterMs) ??
    broken(`${url} answered an error that is not a problem document`)
  );
}

export function broken(what: string, cause?: unknown): PortolanError {
  return new PortolanError('REGISTRY_UNREACHABLE', `${what}.`, {
    status: 0,
    retryable: true,
    ...(cause === undefined ? {} : { cause }),
  });
}
