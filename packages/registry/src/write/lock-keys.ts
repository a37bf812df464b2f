import { type ServiceKey, serviceId } from '@portolan/core';

/** Held by whoever writes the instance of this `refKey`. */
export function idLock(key: string): string {
  return key;
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
  return `place ${serviceId(service)} ${address}|${port}`;
}
