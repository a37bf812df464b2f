import { isRegistryError, type Random } from '@portolan/core';
import type { LocalRegistry } from '../registry.ts';

export const LEASE = { ttlMs: 10_000, heartbeatMs: 3_000 };
const CALLER = { trusted: false };

/** A node as it is: its clock runs fast or slow, its messages get lost, it stops now and then, and it dies. */
export interface SimulatedNode {
  readonly service: string;
  readonly port: number;
  id: string;
  generation: number;
  /** What an interval is by its own clock. */
  readonly rate: number;
  state: 'alive' | 'paused' | 'dead';
  /** When it acts next: is heard of, wakes up, or is replaced. */
  nextMs: number;
  /** When the registry last heard it; undefined: it owes the node nothing. */
  heardMs: number | undefined;
  /** Whether the node itself takes itself for registered: an answer that was lost leaves it in the dark. */
  believes: boolean;
  /** Disabled by an operator until then. */
  disabledUntilMs: number;
}

export interface FleetOptions {
  readonly services: number;
  readonly nodes: number;
  /** The first so many services are exclusive. */
  readonly exclusive: number;
}

/** What befalls the network. */
export interface Network {
  /** Share of messages that are lost on either way. */
  loss: number;
  /** Services none of whose messages arrive, until when. */
  readonly cutOff: Map<string, number>;
}

export const serviceKey = (name: string) => ({ namespace: 'default', group: 'default', name });
export const refOf = ({ id }: Pick<SimulatedNode, 'id'>) => ({ namespace: 'default', id });

/** Thousands of nodes that live, by the dice. */
export class Fleet {
  readonly nodes: SimulatedNode[] = [];
  readonly byId = new Map<string, SimulatedNode>();
  readonly options: FleetOptions;
  readonly #random: Random;
  readonly counts = { heartbeats: 0, lost: 0, expired: 0, left: 0, answersLost: 0, operated: 0 };

  constructor(options: FleetOptions, random: Random) {
    this.options = options;
    this.#random = random;
    for (let at = 0; at < options.nodes; at++) {
      const node: SimulatedNode = {
        service: `s-${at % options.services}`,
        port: 1_000 + at,
        id: `n-${at}-0`,
        generation: 0,
        rate: 0.8 + 0.4 * random(),
        state: 'alive',
        nextMs: LEASE.heartbeatMs * random(),
        heardMs: undefined,
        believes: false,
        disabledUntilMs: 0,
      };
      this.nodes.push(node);
      this.byId.set(node.id, node);
    }
  }

  /** The registry was away: everybody has one term from now, but for those that were only kept. */
  grantTerms(registry: LocalRegistry, nowMs: number): void {
    for (const node of this.nodes) {
      const instance = registry.instance(refOf(node));
      node.heardMs = instance?.protected === false ? nowMs : undefined;
    }
  }

  /** Everybody whose time has come acts, all at once. */
  async act(registry: LocalRegistry, network: Network, nowMs: number): Promise<void> {
    const acting: Promise<void>[] = [];
    for (const node of this.nodes) {
      if (node.nextMs <= nowMs) acting.push(this.#live(node, registry, network, nowMs));
    }
    if (this.#random() < 0.05) acting.push(this.#operate(registry, nowMs));
    await Promise.all(acting);
  }

  async #live(
    node: SimulatedNode,
    registry: LocalRegistry,
    network: Network,
    nowMs: number,
  ): Promise<void> {
    const random = this.#random;
    if (node.state === 'dead') {
      this.#replace(node);
      return;
    }
    if (node.state === 'paused') {
      node.state = 'alive';
      return;
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
    if (network.cutOff.has(node.service) || random() < network.loss) {
      this.counts.lost++;
      return;
    }
    if (fate < 0.0045) await this.#leave(node, registry);
    else await this.#report(node, registry, network, nowMs);
  }

  /** Its place is taken by the next one, at the same address. */
  #replace(node: SimulatedNode): void {
    this.byId.delete(node.id);
    node.generation++;
    node.id = `n-${node.port - 1_000}-${node.generation}`;
    this.byId.set(node.id, node);
    node.heardMs = undefined;
    node.believes = false;
    node.disabledUntilMs = 0;
    node.state = 'alive';
  }

  async #leave(node: SimulatedNode, registry: LocalRegistry): Promise<void> {
    this.counts.left++;
    node.heardMs = undefined;
    node.state = 'dead';
    try {
      await registry.deregister(refOf(node));
    } catch (error) {
      if (!isRegistryError(error) || error.code !== 'INSTANCE_NOT_FOUND') throw error;
    }
    node.believes = false;
  }

  async #report(
    node: SimulatedNode,
    registry: LocalRegistry,
    network: Network,
    nowMs: number,
  ): Promise<void> {
    this.counts.heartbeats++;
    if (node.believes) {
      try {
        await registry.heartbeat(refOf(node));
        node.heardMs = nowMs;
        return;
      } catch (error) {
        if (!isRegistryError(error) || error.code !== 'INSTANCE_NOT_FOUND') throw error;
        // It was forgotten rightly, or the check of this step would have said so.
        this.counts.expired++;
        node.heardMs = undefined;
        node.believes = false;
      }
    }
    const service = serviceKey(node.service);
    const input = { service, id: node.id, address: '127.0.0.1', port: node.port, lease: LEASE };
    await registry.register(input, CALLER);
    node.heardMs = nowMs;
    node.believes = this.#random() >= network.loss;
    if (!node.believes) this.counts.answersLost++;
  }

  /** Somebody drains an instance for a while, or hands an exclusive service over. */
  async #operate(registry: LocalRegistry, nowMs: number): Promise<void> {
    const random = this.#random;
    const node = this.nodes[Math.floor(random() * this.nodes.length)];
    if (!node) return;
    this.counts.operated++;
    const handsOver = random() < 0.3;
    const name = `s-${Math.floor(random() * Math.max(1, this.options.exclusive))}`;
    try {
      if (handsOver) await registry.handOver(serviceKey(name));
      else {
        const enabled = node.disabledUntilMs > nowMs;
        node.disabledUntilMs = enabled ? 0 : Number.POSITIVE_INFINITY;
        await registry.setIntent(refOf(node), { enabled });
      }
    } catch (error) {
      if (!isRegistryError(error)) throw error;
      if (!handsOver)
        node.disabledUntilMs = registry.intent(refOf(node)).enabled ? 0 : Number.POSITIVE_INFINITY;
    }
  }
}
