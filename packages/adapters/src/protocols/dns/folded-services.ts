import { type CatalogueReader, type ServiceKey, type ServiceView, serviceId } from '@portolan/core';
import type { AskedService } from './question-name.ts';

/** Finds services by names whose case does not matter (RFC 4343), while ours do tell `Web` from `web`. */
export interface FoldedServices {
  /** The view, if the service has instances. A name in lower case wins; of others the first in the alphabet. */
  find(asked: AskedService): ServiceView | undefined;
  close(): void;
}

export function createFoldedServices(catalogue: CatalogueReader): FoldedServices {
  /** Only services whose name is not in lower case: the others are found as they are. */
  const folded = new Map<string, readonly ServiceKey[]>();
  for (const { service, instances } of catalogue.services()) note(service, instances > 0);
  const unsubscribe = catalogue.subscribe(({ views }) => {
    for (const { service, count } of views) note(service, count > 0);
  });

  function note(service: ServiceKey, isThere: boolean): void {
    const id = serviceId(service);
    const lower = id.toLowerCase();
    if (id === lower) return;
    const others = (folded.get(lower) ?? []).filter((key) => serviceId(key) !== id);
    const keys = isThere ? [...others, service] : others;
    keys.sort((a, b) => (serviceId(a) < serviceId(b) ? -1 : 1));
    if (keys.length === 0) folded.delete(lower);
    else folded.set(lower, keys);
  }

  return {
    find({ namespace, group, name }) {
      const key = { namespace, group, name };
      const view = catalogue.view(key);
      if (view && view.count > 0) return view;
      const [other] = folded.get(serviceId(key)) ?? [];
      return other && catalogue.view(other);
    },
    close: unsubscribe,
  };
}
