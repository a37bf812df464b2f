import { type ServiceKey, serviceId } from '@portolan/core';

/** Held by whoever writes the instance of this name, `namespace/id`. */
export function idLock(key: string): string {
  return `id ${key}`;
}

/** Held by whoever puts an instance there. */
export function placeLock({
  service,
  address,
  port,
}: {
  readonly service: ServiceKey;
  readonly address: string;
  readonly port: number;
}): string {
  return `${serviceId(service)} ${address}|${port}`;
}
