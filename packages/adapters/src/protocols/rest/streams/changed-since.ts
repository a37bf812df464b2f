import {
  type Registry,
  type RegistryEvent,
  type Revision,
  type ServiceKey,
  serviceId,
} from '@portolan/core';
import { serviceOfEvent } from '../codecs/event-json.ts';

/** What changed after `from`, each with its first change; undefined when only the whole state will do. */
export function changedSince(
  registry: Registry,
  from: Revision | undefined,
): ChangedSince | undefined {
  if (from === undefined || from === 0 || from > registry.revision) return undefined;
  const events = registry.events.since(from);
  if (events === undefined) return undefined;
  const services = new Map<string, Changed>();
  for (const event of events) {
    const service = isAboutPolicies(event) ? undefined : serviceOfEvent(event);
    if (!service) continue;
    const id = serviceId(service);
    if (!services.has(id)) services.set(id, { service, since: event.revision });
  }
  return {
    services: [...services.values()],
    routesSince: events.find(isAboutRoutes)?.revision,
    policiesSince: events.find(isAboutPolicies)?.revision,
  };
}

export interface ChangedSince {
  readonly services: readonly Changed[];
  readonly routesSince: Revision | undefined;
  readonly policiesSince: Revision | undefined;
}

interface Changed {
  readonly service: ServiceKey;
  readonly since: Revision;
}

function isAboutRoutes(event: RegistryEvent): boolean {
  return event.type === 'route-put' || event.type === 'route-deleted';
}

function isAboutPolicies(event: RegistryEvent): boolean {
  return event.type === 'policy-put' || event.type === 'policy-deleted';
}
