import { RegistryError, type ServiceKey, serviceId } from '@portolan/core';

/** What Nacos says of a service itself, apart from its instances. */
export interface DeclaredService {
  readonly key: ServiceKey;
  readonly protectThreshold: number;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Services that were created by name. Kept in memory: they are words about services, which live by their instances. */
export interface DeclaredServices {
  get(key: ServiceKey): DeclaredService | undefined;
  put(service: DeclaredService): void;
  delete(key: ServiceKey): boolean;
  of(namespace: string): Iterable<DeclaredService>;
}

export function createDeclaredServices(capacity = 10_000): DeclaredServices {
  const services = new Map<string, DeclaredService>();
  return {
    get: (key) => services.get(serviceId(key)),
    put(service) {
      const id = serviceId(service.key);
      if (services.size >= capacity && !services.has(id)) {
        throw new RegistryError('TOO_MANY_REQUESTS', {
          detail: `At most ${capacity} services without instances are remembered.`,
        });
      }
      services.set(id, service);
    },
    delete: (key) => services.delete(serviceId(key)),
    *of(namespace) {
      for (const service of services.values()) {
        if (service.key.namespace === namespace) yield service;
      }
    },
  };
}
