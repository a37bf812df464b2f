import {
  type CatalogueUpdate,
  createAddressPolicy,
  isRegistryError,
  NO_LOGGER,
  NO_METRICS,
  type Random,
  type ServiceView,
  serviceId,
} from '@portolan/core';
import { MemoryStore, seededRandom, settle, TurnableClock } from '@portolan/testing';
import { expect, test } from 'vitest';
import { createRegistry, type LocalRegistry } from './registry.ts';

// A longer or another run: SIM_SEEDS=7,8 SIM_MINUTES=600 npx vitest run --project unit registry.sim
const SEEDS = (process.env.SIM_SEEDS ?? '1,2,3').split(',').map(Number);
const MINUTES = Number(process.env.SIM_MINUTES ?? 30);

const SERVICES = 50;
const NODES = 1_000;
const STEP_MS = 500;
const LEASE = { ttlMs: 10_000, heartbeatMs: 3_000 };
/** A dead instance may be there for its term and this: one tick of leases, one step, and the commit. */
const GONE_WITHIN_MS = LEASE.ttlMs + 2 * STEP_MS;
const CALLER = { trusted: false };

/** A node as it is: its clock runs fast or slow, its messages get lost, it stops now and then, and it dies. */
interface Node {
  readonly service: string;
  readonly port: number;
  id: string;
  generation: number;
  /** What an interval is by its own clock. */
  rate: number;
  state: 'alive' | 'paused' | 'dead';
  /** When it acts next: is heard of, wakes up, or is replaced. */
  nextMs: number;
  /** When the registry last knew of it for certain; undefined: not registered. */
  heardMs: number | undefined;
}

/** What a reader of the change feed holds; it loses its connection and resumes. */
class Mirror {
  readonly views = new Map<string, ServiceView>();
  revision = 0;

  take(views: readonly ServiceView[], revision: number): void {
    for (const view of views) {
      const id = serviceId(view.service);
      const before = this.views.get(id)?.revision ?? 0;
      if (view.revision <= before) throw new Error(`${id} went from ${before} to ${view.revision}`);
      this.views.set(id, view);
    }
    this.revision = revision;
  }
}

class Simulation {
  readonly #random: Random;
  readonly #clock = new TurnableClock();
  readonly #store = new MemoryStore();
  readonly #nodes: Node[] = [];
  readonly #follower = new Mirror();
  readonly #commuter = new Mirror();
  #registry: LocalRegistry | undefined;
  #loss = 0.05;
  /** Services none of whose messages arrive, until when. */
  readonly #cutOff = new Map<string, number>();
  #commuterAway = false;
  readonly counts = {
    heartbeats: 0,
    lost: 0,
    expired: 0,
    restarts: 0,
    protectedSteps: 0,
    resumed: 0,
  };

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    for (let at = 0; at < NODES; at++) {
      this.#nodes.push({
        service: `s-${at % SERVICES}`,
        port: 1_000 + at,
        id: `n-${at}-0`,
        generation: 0,
        rate: 0.8 + 0.4 * this.#random(),
        state: 'alive',
        nextMs: LEASE.heartbeatMs * this.#random(),
        heardMs: undefined,
      });
    }
  }

  async run(minutes: number): Promise<void> {
    await this.#start();
    const steps = (minutes * 60_000) / STEP_MS;
    for (let step = 0; step < steps; step++) {
      await this.#clock.advance(STEP_MS);
      await this.#trouble();
      await Promise.all(this.#nodes.map((node) => this.#act(node)));
      await settle();
      this.#commute();
      this.#check();
    }
    await this.#allDie();
    await this.#registry?.close();
    expect(this.#clock.pending).toBe(0);
  }

  get #live(): LocalRegistry {
    return this.#registry as LocalRegistry;
  }

  async #start(): Promise<void> {
    const before = this.#follower.revision;
    this.#registry = await createRegistry(
      {},
      {
        store: this.#store,
        clock: this.#clock,
        random: this.#random,
        logger: NO_LOGGER,
        metrics: NO_METRICS,
        probes: [],
        addressPolicy: createAddressPolicy({ allowLoopback: true, ownEndpoints: [] }),
      },
    );
    expect(this.#live.revision).toBeGreaterThanOrEqual(before);
    // A reader of a registry that was started anew begins with what there is.
    this.#follower.views.clear();
    for (const { service } of this.#live.services()) {
      const view = this.#live.view(service);
      if (view) this.#follower.views.set(serviceId(service), view);
    }
    this.#follower.revision = this.#live.revision;
    this.#live.subscribe((update) => this.#follow(update));
  }

  #follow({ revision, views }: CatalogueUpdate): void {
    if (revision <= this.#follower.revision) {
      throw new Error(`revision ${revision} after ${this.#follower.revision}`);
    }
    this.#follower.take(views, revision);
  }

  /** What befalls the network and the registry itself. */
  async #trouble(): Promise<void> {
    const random = this.#random;
    const nowMs = this.#clock.now();
    if (random() < 0.01) this.#loss = [0, 0.02, 0.1, 0.3][Math.floor(random() * 4)] ?? 0;
    if (random() < 0.004) {
      this.#cutOff.set(`s-${Math.floor(random() * SERVICES)}`, nowMs + 60_000 * random());
    }
    for (const [service, untilMs] of this.#cutOff) {
      if (untilMs <= nowMs) this.#cutOff.delete(service);
    }
    if (random() >= 0.0008) return;
    this.counts.restarts++;
    await this.#live.close();
    await this.#start();
    // Nobody could be heard meanwhile: everybody has one term from now, but for those that were only kept.
    for (const node of this.#nodes) {
      const instance = this.#live.instance({ namespace: 'default', id: node.id });
      node.heardMs = instance?.protected === false ? this.#clock.now() : undefined;
    }
  }

  async #act(node: Node): Promise<void> {
    const nowMs = this.#clock.now();
    if (node.nextMs > nowMs) return;
    const random = this.#random;
    switch (node.state) {
      case 'dead':
        // Its place is taken by the next one, at the same address.
        node.generation++;
        node.id = `${node.id.replace(/-\d+$/, '')}-${node.generation}`;
        node.heardMs = undefined;
        node.state = 'alive';
        return;
      case 'paused':
        node.state = 'alive';
        return;
      case 'alive':
        break;
    }
    const fate = random();
    if (fate < 0.001) {
      node.state = 'dead';
      node.nextMs = nowMs + 5_000 + 60_000 * random();
      return;
    }
    if (fate < 0.004) {
      node.state = 'paused';
      node.nextMs = nowMs + 20_000 * random();
      return;
    }
    node.nextMs = nowMs + LEASE.heartbeatMs * node.rate;
    if (this.#cutOff.has(node.service) || random() < this.#loss) {
      this.counts.lost++;
      return;
    }
    await this.#report(node);
  }

  async #report(node: Node): Promise<void> {
    this.counts.heartbeats++;
    const ref = { namespace: 'default', id: node.id };
    if (node.heardMs !== undefined) {
      try {
        await this.#live.heartbeat(ref);
        node.heardMs = this.#clock.now();
        return;
      } catch (error) {
        if (!isRegistryError(error) || error.code !== 'INSTANCE_NOT_FOUND') throw error;
        // It was forgotten rightly, or the check of this step would have said so.
        this.counts.expired++;
        node.heardMs = undefined;
      }
    }
    const service = { namespace: 'default', group: 'default', name: node.service };
    const input = { service, id: node.id, address: '127.0.0.1', port: node.port, lease: LEASE };
    await this.#live.register(input, CALLER);
    node.heardMs = this.#clock.now();
  }

  /** The reader that comes and goes takes up where it was, or begins anew where it was away for too long. */
  #commute(): void {
    if (this.#random() < 0.05) this.#commuterAway = !this.#commuterAway;
    if (this.#commuterAway) return;
    const { revision } = this.#live;
    if (revision === this.#commuter.revision) return;
    const views = this.#live.viewsSince(this.#commuter.revision);
    if (views === undefined) {
      this.#commuter.views.clear();
      for (const [id, view] of this.#follower.views) this.#commuter.views.set(id, view);
      this.#commuter.revision = revision;
    } else {
      this.counts.resumed++;
      this.#commuter.take(views, revision);
    }
    for (const [id, view] of this.#follower.views) {
      if (view.instances.length === 0 && !this.#commuter.views.has(id)) continue;
      // A registry that was started anew gives its views a newer revision; what they hold is the same.
      const held = this.#commuter.views.get(id);
      if (held !== view) expect(told(held)).toEqual(told(view));
    }
  }

  #check(): void {
    const nowMs = this.#clock.now();
    const registry = this.#live;
    for (const node of this.#nodes) {
      const instance = registry.instance({ namespace: 'default', id: node.id });
      if (node.heardMs === undefined) continue;
      const silentMs = nowMs - node.heardMs;
      if (silentMs < LEASE.ttlMs) {
        if (instance?.routable !== true) {
          throw new Error(`${node.id} was heard ${silentMs} ms ago and is not in rotation`);
        }
      } else if (silentMs > GONE_WITHIN_MS && instance !== undefined) {
        const { service } = instance;
        const declared = instance.protected || registry.view(service)?.protection !== undefined;
        if (!declared) throw new Error(`${node.id} is silent for ${silentMs} ms and still there`);
      }
    }
    const ids = new Set(this.#nodes.map(({ id }) => id));
    for (const { service, protected: kept } of registry.services()) {
      if (kept) this.counts.protectedSteps++;
      const view = registry.view(service);
      if (this.#follower.views.get(serviceId(service)) !== view) {
        throw new Error(`the follower of ${service.name} is not at its newest view`);
      }
      for (const { id, protected: isKept } of view?.instances ?? []) {
        // Of a node that was replaced nothing is left once the next one has its address, unless it is kept on purpose.
        if (!ids.has(id) && !isKept && !this.#mayLinger(id))
          throw new Error(`${id} was superseded`);
      }
    }
  }

  #mayLinger(id: string): boolean {
    const place = id.replace(/-\d+$/, '');
    const next = this.#nodes.find((node) => node.id.startsWith(`${place}-`));
    return next?.heardMs === undefined;
  }

  /** A genuine end of everything: protection holds it back for its time, then believes it. */
  async #allDie(): Promise<void> {
    await this.#clock.advance(GONE_WITHIN_MS);
    await settle();
    for (let minute = 0; minute < 40 && this.#live.services().length > 0; minute++) {
      await this.#clock.advance(60_000);
      await settle();
    }
    expect(this.#live.services()).toEqual([]);
  }
}

function told(view: ServiceView | undefined): readonly string[] | undefined {
  return view?.instances.map(({ id, modifyRevision }) => `${id} ${modifyRevision}`);
}

test.each(SEEDS)(
  'nodes that lie about time, pause, die and lose messages, seed %i',
  async (seed) => {
    const simulation = new Simulation(seed);
    await simulation.run(MINUTES);
    const { heartbeats, lost, expired, restarts, protectedSteps, resumed } = simulation.counts;
    // A run in which nothing happened would prove nothing.
    expect(heartbeats).toBeGreaterThan(MINUTES * 5_000);
    for (const count of [lost, expired, restarts, protectedSteps, resumed]) {
      expect(count).toBeGreaterThan(0);
    }
  },
  120_000,
);
