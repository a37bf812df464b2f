import { DEFAULT_GROUP, DEFAULT_NAMESPACE, type ServiceKey } from '@portolan/core';

/** A request that reaches a service by its name alone. */
export interface ZeroConfigMatch {
  readonly service: ServiceKey;
  /** `/{service}` when found by path: cut from the path and told as X-Forwarded-Prefix; empty when found by host. */
  readonly prefix: string;
}

/**
 * Finds services of the default namespace and group by name, after every configured route: first by host
 * (`{service}` or `{service}.anything`, ignoring case), then by path (`/{service}/rest`, exact case).
 */
export interface ZeroConfigRoutes {
  /** Tells of a service that exists, with or without instances. */
  add(service: ServiceKey): void;
  /** Tells that the last instance went: the name stays known (503 rather than 404) until many others went after it. */
  retire(service: ServiceKey): void;
  /** Whether the service can be reached by its name and has instances, as far as was told. */
  isPresent(service: ServiceKey): boolean;
  find(host: string, path: string): ZeroConfigMatch | undefined;
}

/** Names without instances that are remembered. */
const RETIRED_LIMIT = 1_000;

/** Makes the finder; it knows no service at first. */
export function createZeroConfigRoutes(): ZeroConfigRoutes {
  const byName = new Map<string, ZeroConfigMatch>();
  const byHostLabel = new Map<string, ZeroConfigMatch>();
  const retired = new Set<string>();

  function isDefault(service: ServiceKey): boolean {
    return service.namespace === DEFAULT_NAMESPACE && service.group === DEFAULT_GROUP;
  }

  function forget(name: string): void {
    byName.delete(name);
    const label = name.toLowerCase();
    if (byHostLabel.get(label)?.service.name === name) byHostLabel.delete(label);
  }

  return {
    add(service) {
      if (!isDefault(service)) return;
      retired.delete(service.name);
      if (byName.has(service.name)) return;
      byName.set(service.name, { service, prefix: `/${service.name}` });
      const label = service.name.toLowerCase();
      // Of two names that differ in case only, the host reaches the one that is itself lower case, else the first.
      if (!byHostLabel.has(label) || label === service.name) {
        byHostLabel.set(label, { service, prefix: '' });
      }
    },
    retire(service) {
      if (!isDefault(service) || !byName.has(service.name)) return;
      retired.delete(service.name);
      retired.add(service.name);
      for (const name of retired) {
        if (retired.size <= RETIRED_LIMIT) break;
        retired.delete(name);
        forget(name);
      }
    },
    isPresent: (service) =>
      isDefault(service) && byName.has(service.name) && !retired.has(service.name),
    find(host, path) {
      if (host !== '' && !isIpLiteral(host)) {
        // A name may hold dots itself: the longest one wins.
        for (let end = host.length; end > 0; end = host.lastIndexOf('.', end - 1)) {
          const match = byHostLabel.get(host.slice(0, end));
          if (match) return match;
        }
      }
      const slash = path.indexOf('/', 1);
      return byName.get(slash < 0 ? path.slice(1) : path.slice(1, slash));
    },
  };
}

function isIpLiteral(host: string): boolean {
  if (host.charCodeAt(0) === 91 /* [ */) return true;
  for (let at = 0; at < host.length; at++) {
    const code = host.charCodeAt(at);
    if (code !== 46 && (code < 48 || code > 57)) return false;
  }
  return true;
}
