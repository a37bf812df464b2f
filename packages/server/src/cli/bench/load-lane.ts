import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { backoffDelayMs } from '@portolan/client';
import type { Clock, Random, TimerHandle } from '@portolan/core';
import { readAnswer } from './read-answer.ts';

/** A request that is due. */
export interface DueRequest {
  readonly bytes: Uint8Array;
  /** When it is to be sent; latency counts from then. */
  readonly dueMs: number;
}

/** Where a lane gets its requests, and whom it tells what became of them. */
export interface LaneOwner {
  readonly url: URL;
  readonly clock: Clock;
  readonly random: Random;
  /** Undefined: there is no more to do. */
  take(): DueRequest | undefined;
  answered(latencyMs: number, status: number, body: Buffer): void;
  failed(why: string): void;
  ended(): void;
}

const REQUEST_TIMEOUT_MS = 10_000;
const RECONNECT = { baseMs: 100, capMs: 5_000 };
/** A timer is not exact to less, and sending a little early is not early at the registry. */
const TIMER_SLACK_MS = 0.5;
const EMPTY = Buffer.alloc(0);

/** One connection of a load: sends a request, reads its answer, sends the next; connects again when it breaks. */
export class LoadLane {
  readonly #owner: LaneOwner;
  #socket: Socket | undefined;
  #timer: TimerHandle | undefined;
  #request: DueRequest | undefined;
  #buffered: Buffer = EMPTY;
  /** From when the present request's latency counts. */
  #fromMs = 0;
  #failures = 0;
  #over = false;

  constructor(owner: LaneOwner) {
    this.#owner = owner;
  }

  start(): void {
    this.#next();
  }

  /** Gives up what is under way. */
  stop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#timer?.cancel();
    this.#socket?.destroy();
    this.#owner.ended();
  }

  #next(): void {
    const request = this.#owner.take();
    if (request === undefined) {
      this.stop();
      return;
    }
    this.#request = request;
    this.#fromMs = request.dueMs;
    const waitMs = request.dueMs - this.#owner.clock.now();
    if (waitMs > TIMER_SLACK_MS) this.#after(waitMs, () => this.#send());
    else this.#send();
  }

  #send(): void {
    const socket = this.#socket;
    if (socket === undefined) {
      this.#connect();
      return;
    }
    const request = this.#request as DueRequest;
    this.#fromMs = Math.min(this.#fromMs, this.#owner.clock.now());
    this.#after(REQUEST_TIMEOUT_MS, () => this.#fail('no answer within 10 s'));
    socket.write(request.bytes);
  }

  #connect(): void {
    const { hostname, port, protocol } = this.#owner.url;
    const host = hostname.replace(/^\[|\]$/g, '');
    const secure = protocol === 'https:';
    const target = { host, port: Number(port) || (secure ? 443 : 80) };
    const socket = secure ? connectTls({ ...target, servername: host }) : connect(target);
    socket.setNoDelay(true);
    this.#socket = socket;
    this.#buffered = EMPTY;
    this.#after(REQUEST_TIMEOUT_MS, () => this.#fail('no connection within 10 s'));
    socket.once(secure ? 'secureConnect' : 'connect', () => this.#send());
    socket.on('error', (error) => {
      if (socket === this.#socket) this.#fail(error.message);
    });
    socket.on('close', () => {
      if (socket === this.#socket) this.#fail('the connection was closed');
    });
    socket.on('data', (piece: Buffer) => {
      if (socket === this.#socket) this.#read(piece);
    });
  }

  #read(piece: Buffer): void {
    this.#buffered = this.#buffered.length === 0 ? piece : Buffer.concat([this.#buffered, piece]);
    const buffered = this.#buffered;
    const answer = readAnswer(buffered);
    if (answer === undefined) return;
    if (typeof answer === 'string') {
      this.#fail(answer);
      return;
    }
    this.#buffered = EMPTY;
    this.#failures = 0;
    this.#timer?.cancel();
    this.#owner.answered(this.#owner.clock.now() - this.#fromMs, answer.status, answer.body);
    if (answer.closes || buffered.length > answer.end) this.#drop();
    this.#next();
  }

  /** The request counts as failed; the next one goes over a new connection, after a pause. */
  #fail(why: string): void {
    if (this.#over) return;
    this.#drop();
    this.#owner.failed(why);
    const pauseMs = backoffDelayMs(this.#failures++, RECONNECT, this.#owner.random);
    this.#after(pauseMs, () => this.#next());
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
  }

  #after(delayMs: number, task: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#owner.clock.setTimer(delayMs, task);
  }
}
