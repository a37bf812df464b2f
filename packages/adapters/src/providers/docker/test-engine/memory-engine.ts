import type { Clock } from '@portolan/core';
import type { DockerSource, EventStream } from '../engine/docker-source.ts';
import type {
  ContainerFacts,
  EngineEvent,
  EngineFacts,
  NetworkFacts,
  SwarmFacts,
} from '../facts.ts';

const BRIDGE: NetworkFacts = {
  id: 'net-bridge',
  name: 'bridge',
  driver: 'bridge',
  scope: 'local',
  ingress: false,
  gateways: ['172.17.0.1'],
};

interface Reader {
  readonly queue: EngineEvent[];
  wake: () => void;
  over: 'no' | 'ended' | 'broken';
}

/** An engine in memory: containers that can be changed with or without an event, and a connection that can break. */
export class MemoryEngine implements DockerSource {
  readonly containersById = new Map<string, ContainerFacts>();
  networkList: NetworkFacts[] = [BRIDGE];
  swarmFacts: SwarmFacts | undefined;
  facts: EngineFacts = { apiVersion: '1.51', version: '29.0.0', hidden: false };
  /** Questions asked, by kind. */
  readonly asked: Record<string, number> = {};
  readonly subscriptions: (string | undefined)[] = [];
  away = false;
  /** Answers to a ping wait for ever. */
  mute = false;
  /** Inspections wait until it is called. */
  hold: (() => Promise<void>) | undefined;
  readonly #clock: Clock;
  readonly #readers = new Set<Reader>();
  readonly #past: EngineEvent[] = [];
  #address = 2;
  #events = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Puts a container there; `extra` overrides what it is like. */
  run(name: string, extra: Partial<ContainerFacts> = {}): ContainerFacts {
    const container: ContainerFacts = {
      id: name.padEnd(64, '0'),
      name,
      image: 'app:1',
      labels: { 'portolan.port': '80' },
      environment: {},
      state: 'running',
      startedAtMs: this.#clock.wallNow(),
      networkMode: 'bridge',
      attachments: [{ name: 'bridge', id: BRIDGE.id, ipv4: `172.17.0.${this.#address++}` }],
      ports: [{ port: 80, protocol: 'tcp', bindings: [] }],
      ...extra,
    };
    this.containersById.set(container.id, container);
    return container;
  }

  change(name: string, extra: Partial<ContainerFacts>): ContainerFacts {
    const before = this.#named(name);
    const after = { ...before, ...extra };
    this.containersById.set(after.id, after);
    return after;
  }

  drop(name: string): void {
    this.containersById.delete(this.#named(name).id);
  }

  emit(action: string, name: string, attributes: Record<string, string> = {}): void {
    const id = this.containersById.get(name.padEnd(64, '0'))?.id ?? name.padEnd(64, '0');
    this.emitAny({ type: 'container', action, actorId: id, attributes });
  }

  emitAny(event: Omit<EngineEvent, 'timeNano' | 'atMs'>): void {
    const atMs = this.#clock.wallNow();
    const full = { ...event, atMs, timeNano: `${atMs}${String(++this.#events).padStart(6, '0')}` };
    this.#past.push(full);
    for (const reader of this.#readers) {
      reader.queue.push(full);
      reader.wake();
    }
  }

  /** Ends every stream of events. */
  cut(how: 'ended' | 'broken' = 'broken'): void {
    for (const reader of this.#readers) {
      reader.over = how;
      reader.wake();
    }
  }

  async connect(): Promise<EngineFacts> {
    this.#ask('connect');
    return this.facts;
  }

  async ping(): Promise<void> {
    this.#ask('ping');
    if (this.mute) await new Promise(() => undefined);
  }

  async containers() {
    this.#ask('containers');
    return [...this.containersById.values()].map((container) => ({
      id: container.id,
      running: container.state === 'running' || container.state === 'paused',
      ...(container.stopping ? { stopping: true } : {}),
      fingerprint: JSON.stringify({ ...container, startedAtMs: 0, environment: {} }),
    }));
  }

  async inspect(id: string): Promise<ContainerFacts | undefined> {
    this.#ask('inspect');
    const seen = this.containersById.get(id);
    await this.hold?.();
    return seen;
  }

  async networks(): Promise<readonly NetworkFacts[]> {
    this.#ask('networks');
    return this.networkList;
  }

  async swarm(): Promise<SwarmFacts> {
    this.#ask('swarm');
    return this.swarmFacts ?? { services: [], tasks: [], nodes: [] };
  }

  events(since: string | undefined, signal: AbortSignal): EventStream {
    this.#ask('events');
    this.subscriptions.push(since);
    const reader: Reader = {
      queue: since === undefined ? [] : this.#past.filter((event) => event.timeNano >= since),
      wake: () => undefined,
      over: 'no',
    };
    this.#readers.add(reader);
    const readers = this.#readers;
    async function* read(): AsyncGenerator<EngineEvent, void, void> {
      try {
        while (!signal.aborted) {
          const event = reader.queue.shift();
          if (event) yield event;
          else if (reader.over === 'ended') return;
          else if (reader.over === 'broken') throw new Error('the connection broke');
          else {
            await new Promise<void>((resolve) => {
              reader.wake = resolve;
              signal.addEventListener('abort', () => resolve(), { once: true });
            });
          }
        }
      } finally {
        readers.delete(reader);
      }
    }
    return { opened: Promise.resolve(), events: read() };
  }

  async close(): Promise<void> {
    this.cut('ended');
  }

  #ask(what: string): void {
    this.asked[what] = (this.asked[what] ?? 0) + 1;
    if (this.away) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  }

  #named(name: string): ContainerFacts {
    const found = [...this.containersById.values()].find((container) => container.name === name);
    if (!found) throw new Error(`no container ${name}`);
    return found;
  }
}
