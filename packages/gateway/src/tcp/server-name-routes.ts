import type { ServiceKey } from '@portolan/core';

/** One or more server names and where they lead. */
export interface ServerNameRoute {
  /** Exact, `*.suffix` for exactly the names below it, or `*` for all, those without a name included. Any case. */
  readonly serverNames: readonly string[];
  readonly service: ServiceKey;
}

/** Finds the service of a server name. */
export type ServerNameRoutes = (serverName: string | undefined) => ServiceKey | undefined;

/** Compiles routes; an exact name goes before the longest suffix, and that before `*`. Throws a RangeError for a name given twice. */
export function compileServerNameRoutes(routes: readonly ServerNameRoute[]): ServerNameRoutes {
  const exact = new Map<string, ServiceKey>();
  const suffixes = new Map<string, ServiceKey>();
  let all: ServiceKey | undefined;
  for (const { serverNames, service } of routes) {
    for (const written of serverNames) {
      const name = written.toLowerCase();
      const map = name.startsWith('*.') ? suffixes : exact;
      const key = name.startsWith('*.') ? name.slice(2) : name;
      if (name === '*' ? all !== undefined : map.has(key)) {
        throw new RangeError(`the server name ${written} is routed twice`);
      }
      if (name === '*') all = service;
      else map.set(key, service);
    }
  }
  return (serverName) => {
    if (serverName === undefined) return all;
    const found = exact.get(serverName);
    if (found) return found;
    for (let dot = serverName.indexOf('.'); dot >= 0; dot = serverName.indexOf('.', dot + 1)) {
      const wild = suffixes.get(serverName.slice(dot + 1));
      if (wild) return wild;
    }
    return all;
  };
}
