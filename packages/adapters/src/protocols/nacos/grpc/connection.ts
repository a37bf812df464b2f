import type { Clock, InstanceRef, TimerHandle } from '@portolan/core';
import type { NacosInstance } from '../nacos-instance.ts';
import type { NacosService } from '../nacos-names.ts';
import { type Message, type Payload, requestIdOf, toPayload } from './payload.ts';

/** An instance that lives as long as its client's connection. */
export interface HeldInstance {
  readonly ref: InstanceRef;
  readonly service: NacosService;
  readonly instance: NacosInstance;
}

export interface ConnectionStream {
  write(payload: Payload): boolean;
  end(): void;
}

/** One client: its stream, what it registered and what it is told of. */
export class Connection {
  readonly id: string;
  readonly peer: string;
  /** Keyed `namespace/id`. */
  readonly held = new Map<string, HeldInstance>();
  /** By service and clusters. */
  readonly subscriptions = new Map<
    string,
    { readonly service: NacosService; readonly end: () => void }
  >();
  readonly sinceMs: number;
  lastActiveMs: number;
  readonly #clock: Clock;
  readonly #stream: ConnectionStream;
  readonly #waiting = new Map<
    string,
    { readonly settle: (answered: boolean) => void; readonly timer: TimerHandle }
  >();
  #asked = 0;
  #closed = false;

  constructor(id: string, peer: string, stream: ConnectionStream, clock: Clock) {
    this.id = id;
    this.peer = peer;
    this.#stream = stream;
    this.#clock = clock;
    this.lastActiveMs = clock.now();
    this.sinceMs = Math.round(clock.wallNow());
  }

  get closed(): boolean {
    return this.#closed;
  }

  touch(): void {
    this.lastActiveMs = this.#clock.now();
  }

  /** Sends a request of ours; resolves to whether it was answered in time. */
  ask(type: string, body: object, withinMs: number): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false);
    const requestId = `${++this.#asked}`;
    return new Promise((resolve) => {
      const settle = (answered: boolean): void => {
        this.#waiting.get(requestId)?.timer.cancel();
        this.#waiting.delete(requestId);
        resolve(answered);
      };
      const timer = this.#clock.setTimer(withinMs, () => settle(false));
      this.#waiting.set(requestId, { settle, timer });
      this.#stream.write(toPayload(type, { ...body, requestId }));
    });
  }

  /** An answer to a request of ours; anything else is passed over. */
  take({ body }: Message): void {
    this.touch();
    this.#waiting.get(requestIdOf(body))?.settle(true);
  }

  /** Ends it on this side; what it held is up to who owns the table. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { settle } of [...this.#waiting.values()]) settle(false);
    for (const { end } of this.subscriptions.values()) end();
    this.subscriptions.clear();
    this.#stream.end();
  }
}
