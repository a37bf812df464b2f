import {
  type CatalogueUpdate,
  createAddressPolicy,
  NO_LOGGER,
  NO_METRICS,
  type Random,
  type Store,
  serviceId,
} from '@portolan/core';
import { seededRandom, settle, TurnableClock } from '@portolan/testing';
import { createRegistry, type LocalRegistry } from '../registry.ts';
import { Fleet, type FleetOptions, LEASE, type Network, serviceKey } from './fleet.ts';
import {
  checkAddresses,
  checkEvents,
  checkLiving,
  checkPlaces,
  ExclusiveWatch,
} from './invariants.ts';
import { EventReader, StoreReader, ViewReader } from './readers.ts';
import { RevisionLedger } from './revision-ledger.ts';

export const STEP_MS = 500;
/** A dead instance may be there for its term and this: one tick of leases, one step, and the commit. */
const GONE_WITHIN_MS = LEASE.ttlMs + 2 * STEP_MS;

/** Where the data is: opened again at every restart of the registry. */
export interface StoreHost {
  open(): Promise<Store>;
  /** Kills what is open, or closes it. */
  close(store: Store): Promise<void>;
}

export interface SimulationOptions extends FleetOptions {
  readonly seed: number;
  readonly minutes: number;
  /** Probability of a restart of the registry in a step. */
  readonly restarts: number;
}

/** A registry, its nodes, its readers, and everything that goes wrong between them; each step is checked. */
export class Simulation {
  readonly #options: SimulationOptions;
  readonly #random: Random;
  readonly #clock = new TurnableClock();
  readonly #host: StoreHost;
  readonly #fleet: Fleet;
  readonly #network: Network = { loss: 0.05, cutOff: new Map() };
  readonly #follower = new ViewReader();
  readonly #commuter = new ViewReader();
  readonly #exclusive = new ExclusiveWatch();
  #store!: Store;
  #ledger!: RevisionLedger;
  #events!: EventReader;
  #changes!: StoreReader;
  #registry!: LocalRegistry;
  /** What a listener found; thrown by the step, so that no logger swallows it. */
  #fault: unknown;
  #isAway = false;
  #restarts = 0;
  #protectedSteps = 0;

  constructor(options: SimulationOptions, host: StoreHost) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#host = host;
    this.#fleet = new Fleet(options, this.#random);
  }

  get counts(): Readonly<Record<string, number>> {
    return {
      ...this.#fleet.counts,
      restarts: this.#restarts,
      protectedSteps: this.#protectedSteps,
      terms: this.#exclusive.terms,
      resumedViews: this.#commuter.resumed,
      resumedEvents: this.#events.resumed,
      resumedWatches: this.#changes.resumed,
    };
  }

  async run(): Promise<void> {
    this.#store = await this.#host.open();
    this.#ledger = new RevisionLedger(this.#store);
    this.#events = new EventReader(this.#ledger);
    this.#changes = new StoreReader(this.#ledger);
    await this.#start();
    await this.#settleServices();
    const steps = (this.#options.minutes * 60_000) / STEP_MS;
    try {
      for (let step = 0; step < steps; step++) await this.#step();
      await this.#allDie();
    } catch (error) {
      const seconds = Math.round(this.#clock.now() / 1_000);
      const cause = error instanceof Error ? error.message : String(error);
      throw new Error(`seed ${this.#options.seed}, after ${seconds} s: ${cause}`, { cause: error });
    }
    await this.#registry.close();
    await this.#host.close(this.#store);
    if (this.#clock.pending > 0) throw new Error(`${this.#clock.pending} timers are left`);
  }

  async #step(): Promise<void> {
    await this.#clock.advance(STEP_MS);
    await this.#trouble();
    await this.#over(this.#fleet.act(this.#registry, this.#network, this.#clock.now()));
    await this.#untilQuiet();
    await this.#check();
  }

  async #start(): Promise<void> {
    const before = this.#follower.revision;
    this.#registry = await createRegistry(
      {},
      {
        store: this.#ledger,
        clock: this.#clock,
        random: this.#random,
        logger: NO_LOGGER,
        metrics: NO_METRICS,
        probes: [],
        addressPolicy: createAddressPolicy({ allowLoopback: true, ownEndpoints: [] }),
        nextTurn: () => Promise.resolve(),
      },
    );
    const { revision } = this.#registry;
    if (revision < before) throw new Error(`the registry started at ${revision}, after ${before}`);
    this.#follower.startWith(this.#registry);
    this.#registry.subscribe((update) => this.#follow(update));
    this.#registry.events.subscribe((events) =>
      this.#guard(() => checkEvents(events, this.#fleet, this.#clock.now())),
    );
  }

  async #settleServices(): Promise<void> {
    for (let at = 0; at < this.#options.exclusive; at++) {
      const service = serviceKey(`s-${at}`);
      const { namespace, group, name } = service;
      const settings = { namespace, group, service: name, exclusive: true };
      await this.#registry.settingsDocuments.put(serviceId(service), settings);
    }
  }

  #follow(update: CatalogueUpdate): void {
    this.#guard(() => {
      const { revision, views } = update;
      if (revision <= this.#follower.revision) {
        throw new Error(`revision ${revision} after ${this.#follower.revision}`);
      }
      this.#follower.take(views, revision);
      this.#exclusive.onUpdate(update);
      checkPlaces(views);
    });
  }

  #guard(look: () => void): void {
    try {
      look();
    } catch (error) {
      this.#fault ??= error;
    }
  }

  /** What befalls the network and the registry itself. */
  async #trouble(): Promise<void> {
    const random = this.#random;
    const nowMs = this.#clock.now();
    const { cutOff } = this.#network;
    if (random() < 0.01) this.#network.loss = [0, 0.02, 0.1, 0.3][Math.floor(random() * 4)] ?? 0;
    if (random() < 0.004) {
      cutOff.set(`s-${Math.floor(random() * this.#options.services)}`, nowMs + 60_000 * random());
    }
    for (const [service, untilMs] of cutOff) if (untilMs <= nowMs) cutOff.delete(service);
    if (random() < this.#options.restarts) await this.#restart();
  }

  async #restart(): Promise<void> {
    this.#restarts++;
    const before = this.#terms();
    await this.#registry.close();
    await this.#host.close(this.#store);
    this.#store = await this.#host.open();
    this.#ledger.reopened(this.#store);
    this.#changes.openedAt = this.#store.revision;
    await this.#start();
    const after = this.#terms();
    if (before !== after) throw new Error(`a restart handed over: ${before} became ${after}`);
    this.#fleet.grantTerms(this.#registry, this.#clock.now());
  }

  #terms(): string {
    const terms: unknown[] = [];
    for (const { service, exclusive } of this.#registry.services()) {
      if (exclusive) terms.push([service.name, this.#registry.view(service)?.exclusive]);
    }
    return JSON.stringify(terms.sort());
  }

  /** Some calls pause after they lost against another write: when nothing else moves, time does. */
  async #over(acting: Promise<void>): Promise<void> {
    let isOver = false;
    const ended = acting.finally(() => {
      isOver = true;
    });
    ended.catch(() => undefined);
    for (let idleTurns = 0; !isOver; ) {
      await settle();
      await new Promise((resolve) => setImmediate(resolve));
      idleTurns = this.#ledger.isIdle ? idleTurns + 1 : 0;
      if (idleTurns > 10) await this.#clock.advance(10);
    }
    await ended;
  }

  async #untilQuiet(): Promise<void> {
    await settle();
    // A store on a disk takes real time, in which the simulated one stands still.
    while (!this.#ledger.isIdle) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    await settle();
  }

  async #check(): Promise<void> {
    if (this.#fault !== undefined) throw this.#fault;
    const [fault] = this.#ledger.faults;
    if (fault !== undefined) throw new Error(fault);
    const registry = this.#registry;
    checkLiving(this.#fleet, registry, this.#clock.now(), GONE_WITHIN_MS);
    checkAddresses(this.#fleet, registry);
    this.#exclusive.check(registry);
    for (const { service, protected: isKept } of registry.services()) {
      if (isKept) this.#protectedSteps++;
      if (this.#follower.views.get(serviceId(service)) !== registry.view(service)) {
        throw new Error(`the follower of ${service.name} is not at its newest view`);
      }
    }
    const wasAway = this.#isAway;
    if (this.#random() < 0.05) this.#isAway = !this.#isAway;
    if (this.#isAway) return;
    this.#commuter.catchUp(registry);
    this.#commuter.compare(registry);
    this.#events.catchUp(registry);
    if (wasAway) this.#events.compare(registry);
    await this.#changes.catchUp(this.#store);
  }

  /** A genuine end of everything: protection holds it back for its time, then believes it. */
  async #allDie(): Promise<void> {
    await this.#clock.advance(GONE_WITHIN_MS);
    await this.#untilQuiet();
    for (let minute = 0; minute < 40 && this.#registry.services().length > 0; minute++) {
      await this.#clock.advance(60_000);
      await this.#untilQuiet();
    }
    const left = this.#registry.services().length;
    if (left > 0) throw new Error(`${left} services of dead instances are left`);
    if (this.#fault !== undefined) throw this.#fault;
  }
}
