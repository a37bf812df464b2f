import { networksByName } from '../address/networks-by-name.ts';
import type {
  ContainerFacts,
  EngineEvent,
  EngineFacts,
  NetworkFacts,
  SwarmFacts,
} from '../facts.ts';
import { whyDraining } from './draining.ts';
import type { RestartLoops } from './restart-loops.ts';

/** What an event leaves to be done. */
export interface EventEffect {
  /** Container to inspect. */
  readonly inspect?: string;
  /** Something changed already: to be published without waiting. */
  readonly atOnce?: boolean;
  readonly networks?: boolean;
  readonly swarm?: boolean;
}

const NOTHING: EventEffect = {};

/** Events of a container after which it may look different. */
const CHANGES =
  /^(?:create|start|restart|unpause|pause|rename|update|health_status.*|die|stop|oom)$/;

/** What is known of an engine. Changed by events at once where they say all, else by looking. */
export class EngineState {
  facts: EngineFacts | undefined;
  networks: readonly NetworkFacts[] = [];
  swarm: SwarmFacts | undefined;
  readonly containers = new Map<string, ContainerFacts>();
  /** By id, as the list said it last. */
  readonly fingerprints = new Map<string, string>();
  /** By id: why, and since when (monotonic). */
  readonly draining = new Map<string, { readonly reason: string; readonly sinceMs: number }>();
  readonly #loops: RestartLoops;
  readonly #touches = new Map<string, number>();

  constructor(loops: RestartLoops) {
    this.#loops = loops;
  }

  /** Takes an event in. What it says is older than what is known of its container counts for nothing. */
  take(event: EngineEvent, nowMs: number): EventEffect {
    switch (event.type) {
      case 'container':
        return this.#takeContainer(event, nowMs);
      case 'network':
        return this.#takeNetwork(event);
      case 'service':
      case 'node':
        return { swarm: true };
      default:
        return NOTHING;
    }
  }

  /** Changes with each event of a container. */
  touches(id: string): number {
    return this.#touches.get(id) ?? 0;
  }

  /** What an inspection found; undefined: it is gone. */
  put(id: string, container: ContainerFacts | undefined): void {
    if (!container) {
      this.forget(id);
      return;
    }
    const before = this.containers.get(id);
    if (before && before.startedAtMs !== container.startedAtMs) this.draining.delete(id);
    if (container.state !== 'running' && container.state !== 'paused') this.draining.delete(id);
    this.containers.set(id, container);
  }

  forget(id: string): void {
    this.containers.delete(id);
    this.fingerprints.delete(id);
    this.draining.delete(id);
    this.#loops.forget(id);
  }

  /** Forgets the events of containers that are no more. */
  prune(): void {
    for (const id of this.#touches.keys()) if (!this.containers.has(id)) this.#touches.delete(id);
  }

  /** Whether a container is in a network that was not there when they were listed: not every engine tells of new ones. */
  lacksNetwork(id: string): boolean {
    const known = networksByName(this.networks);
    const attachments = this.containers.get(id)?.attachments ?? [];
    return attachments.some((attachment) => attachment.id !== '' && !known.has(attachment.id));
  }

  /** Those that die again and again. */
  restarting(): ReturnType<RestartLoops['held']> {
    return this.#loops.held();
  }

  /** A signal that was not heeded does not keep a container out for ever. */
  endDraining(olderThanMs: number): boolean {
    let ended = false;
    for (const [id, { sinceMs }] of this.draining) {
      if (sinceMs > olderThanMs) continue;
      this.draining.delete(id);
      ended = true;
    }
    return ended;
  }

  #takeContainer(event: EngineEvent, nowMs: number): EventEffect {
    const { action, actorId: id } = event;
    // A command in it, as each of its health checks: several times a minute, and nothing of it changed.
    if (action.startsWith('exec_')) return NOTHING;
    // The list has to look different from now on, or it is looked at again.
    this.fingerprints.delete(id);
    this.#touches.set(id, this.touches(id) + 1);
    const known = this.containers.get(id);
    // Podman says that it was removed.
    if (action === 'destroy' || action === 'remove') {
      this.forget(id);
      return { atOnce: known !== undefined };
    }
    // Told again from the engine's memory: it started anew since.
    const isOld = known !== undefined && event.atMs < known.startedAtMs;
    const stop = isOld ? undefined : whyDraining(event, known);
    if (stop !== undefined && known?.state === 'running' && !this.draining.has(id)) {
      this.draining.set(id, { reason: stop, sinceMs: nowMs });
      return { atOnce: true, inspect: id };
    }
    if (action === 'die') {
      if (isOld) return NOTHING;
      this.#loops.died(id);
      if (!known) return { inspect: id };
      this.draining.delete(id);
      this.containers.set(id, { ...known, state: 'exited', attachments: [] });
      return { atOnce: true, inspect: id };
    }
    if (action === 'start' && !isOld) this.#loops.started(id);
    // The bridge that leads out of overlay networks takes containers in without an event.
    if (action === 'start' && this.facts?.swarm) return { inspect: id, networks: true };
    return CHANGES.test(action) ? { inspect: id } : NOTHING;
  }

  #takeNetwork({ action, actorId, attributes }: EngineEvent): EventEffect {
    // Podman tells the container as the actor, and the network not at all.
    const container = attributes.container ?? (this.containers.has(actorId) ? actorId : undefined);
    if (/^(?:create|destroy|remove)$/.test(action)) return { networks: true };
    if (container !== undefined && /^(?:connect|disconnect)$/.test(action)) {
      return { inspect: container, networks: true };
    }
    return NOTHING;
  }
}
