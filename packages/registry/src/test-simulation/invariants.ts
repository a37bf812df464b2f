import type { CatalogueUpdate, RegistryEvent, Revision, ServiceView } from '@portolan/core';
import { serviceId } from '@portolan/core';
import { isFit } from '../exclusive/decide-term.ts';
import type { LocalRegistry } from '../registry.ts';
import { type Fleet, LEASE, refOf } from './fleet.ts';

/** Nobody who was heard within the term may be out, and none stay in that was silent for longer than the bound. */
export function checkLiving(
  fleet: Fleet,
  registry: LocalRegistry,
  nowMs: number,
  goneWithinMs: number,
): void {
  for (const node of fleet.nodes) {
    if (node.heardMs === undefined) continue;
    const instance = registry.instance(refOf(node));
    const silentMs = nowMs - node.heardMs;
    if (silentMs < LEASE.ttlMs) {
      const isIn = instance?.routable || instance?.exclusive?.role === 'standby';
      if (!instance || !(isIn || node.disabledUntilMs > 0)) {
        throw new Error(`${node.id} was heard ${silentMs} ms ago and is not in rotation`);
      }
    } else if (silentMs > goneWithinMs && instance) {
      const isDeclared =
        instance.protected || registry.view(instance.service)?.protection !== undefined;
      if (!isDeclared) throw new Error(`${node.id} is silent for ${silentMs} ms and still there`);
    }
  }
}

/** In no view that anybody is ever told are two at one address. */
export function checkPlaces(views: readonly ServiceView[]): void {
  for (const { service, instances } of views) {
    const ports = new Set(instances.map(({ port }) => port));
    if (ports.size < instances.length) throw new Error(`two of ${service.name} are at one address`);
  }
}

/** Of a node that was replaced nothing is left once the next one has its address; no address is there twice. */
export function checkAddresses(fleet: Fleet, registry: LocalRegistry): void {
  const taken = new Set<number>();
  for (const { service } of registry.services()) {
    for (const { id, port, protected: isKept } of registry.view(service)?.instances ?? []) {
      // Every node has a port of its own and stays with its service.
      if (taken.has(port)) throw new Error(`two instances are at port ${port}, one is ${id}`);
      taken.add(port);
      if (isKept || fleet.byId.has(id)) continue;
      const next = fleet.nodes[port - 1_000];
      if (next?.heardMs !== undefined) throw new Error(`${id} was superseded by ${next.id}`);
    }
  }
}

/** No living instance is ever said to have expired, nor is it followed by another, not even between two steps. */
export function checkEvents(events: readonly RegistryEvent[], fleet: Fleet, nowMs: number): void {
  for (const event of events) {
    const lost =
      event.type === 'instance-deregistered' && event.reason === 'expired'
        ? event.instance.id
        : event.type === 'active-changed' && event.reason === 'unhealthy'
          ? event.previous
          : undefined;
    const heardMs = lost === undefined ? undefined : fleet.byId.get(lost)?.heardMs;
    if (heardMs !== undefined && nowMs - heardMs < LEASE.ttlMs) {
      throw new Error(`${event.type} although ${lost} was heard ${nowMs - heardMs} ms before`);
    }
  }
}

/** Exclusive services: one active instance at most, in every view that anybody is ever told, and terms that only grow. */
export class ExclusiveWatch {
  readonly #terms = new Map<
    string,
    { readonly term: Revision; readonly active: string | undefined }
  >();
  readonly #vacantSteps = new Map<string, number>();
  terms = 0;

  onUpdate({ views }: CatalogueUpdate): void {
    for (const view of views) if (view.exclusive) this.#look(view);
  }

  /** Whenever somebody could be active somebody is, but for the step in which it is decided. */
  check(registry: LocalRegistry): void {
    for (const { service, exclusive } of registry.services()) {
      if (!exclusive) continue;
      const view = registry.view(service);
      if (!view) continue;
      this.#look(view);
      const id = serviceId(service);
      const isVacant =
        !view.instances.some(({ routable }) => routable) && view.instances.some(isFit);
      const steps = isVacant ? (this.#vacantSteps.get(id) ?? 0) + 1 : 0;
      this.#vacantSteps.set(id, steps);
      if (steps > 1) throw new Error(`${id} has nobody active, although somebody could be`);
    }
  }

  #look(view: ServiceView): void {
    const id = serviceId(view.service);
    const term = view.exclusive?.term ?? 0;
    const active = view.exclusive?.active;
    const actives = view.instances.filter(({ exclusive }) => exclusive?.role !== 'standby');
    if (actives.length > 1) throw new Error(`${id} has ${actives.length} active instances`);
    for (const one of view.instances) {
      if (one.routable && one.id !== active)
        throw new Error(`${one.id} is routable, ${active} is active`);
    }
    const before = this.#terms.get(id);
    if (before?.term === term && before.active !== active) {
      throw new Error(`${id} went from ${before.active} to ${active} within term ${term}`);
    }
    if (before && term < before.term)
      throw new Error(`${id} went from term ${before.term} to ${term}`);
    if (before && term > before.term) this.terms++;
    this.#terms.set(id, { term, active });
  }
}
