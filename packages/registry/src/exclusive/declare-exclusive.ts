import { type Guard, type Op, RegistryError, type ServiceKey, serviceId } from '@portolan/core';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { encodeSettings } from '../codec/exclusive-codec.ts';
import { settingsKey } from '../codec/keys.ts';

/** Whether a registration that has to be exclusive has to make its service so. Throws `EXCLUSIVE_CONFLICT`. */
export function hasToDeclare(service: ServiceKey, catalogue: Catalogue): boolean {
  const settings = catalogue.settingsShelf.get(serviceId(service));
  if (settings?.exclusive !== false) return settings === undefined;
  throw new RegistryError('EXCLUSIVE_CONFLICT', {
    detail: `Service "${service.name}" in namespace "${service.namespace}" is settled as not exclusive, at revision ${settings.modifyRevision}. Nothing was changed.`,
    problems: [{ path: '$.exclusive', expected: 'false or nothing', found: 'true' }],
  });
}

/** Adds to a registration's write what makes its service exclusive, or fails it when that changes meanwhile. */
export function declareExclusive(
  service: ServiceKey,
  catalogue: Catalogue,
  ops: Op[],
  guards: Guard[],
): void {
  const id = serviceId(service);
  const key = settingsKey(service);
  guards.push({ key, modifyRevision: catalogue.settingsRevision(id) });
  if (catalogue.settingsShelf.get(id)) return;
  const { namespace, group, name } = service;
  const value = encodeSettings({ namespace, group, service: name, exclusive: true });
  ops.push({ type: 'put', key, value });
}
