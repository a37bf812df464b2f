import {
  type Registry,
  type Revision,
  type ServiceKey,
  type ServiceView,
  serviceId,
  toServiceView,
} from '@portolan/core';
import { serviceOfEvent } from '../codecs/event-json.ts';

/**
 * The view as it is now and whether it is news to a reader at `from`. A service that is not there has an empty view at
 * the present revision, so that a reader can wait for it to come; it is news only if it went away after `from`. A
 * revision of the future comes from another life of the registry: whatever the reader knows, this is news.
 */
export function presentView(
  registry: Registry,
  service: ServiceKey,
  from: Revision | undefined,
): { view: ServiceView; isNews: boolean } {
  const known = registry.view(service);
  const view = known ?? toServiceView(service, registry.revision, []);
  if (from === undefined || from === 0 || from > registry.revision) return { view, isNews: true };
  if (known) return { view, isNews: known.revision > from };
  const events = registry.events.since(from);
  const id = serviceId(service);
  const isNews =
    events?.some((event) => {
      const changed = serviceOfEvent(event);
      return changed !== undefined && serviceId(changed) === id;
    }) ?? true;
  return { view, isNews };
}
