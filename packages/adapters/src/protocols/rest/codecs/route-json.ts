import type { FieldMatch, StoredRoute } from '@portolan/core';

/** A route as the API answers it: the shape of its body with defaults filled in and durations in milliseconds. */
export function toRouteJson(route: StoredRoute) {
  return {
    name: route.name,
    namespace: route.namespace,
    hosts: route.hosts,
    match: route.matches.map((match) => ({
      ...(match.path === undefined ? undefined : { path: match.path }),
      ...(match.methods === undefined ? undefined : { methods: match.methods }),
      ...(match.headers === undefined ? undefined : { headers: toHeadersJson(match.headers) }),
    })),
    to: route.destinations.map((destination) => ({
      service: destination.service,
      namespace: destination.namespace,
      group: destination.group,
      labels: destination.subset,
      weight: destination.weight,
    })),
    rewrite:
      route.rewritePrefix === undefined && route.rewriteHost === undefined
        ? null
        : { prefix: route.rewritePrefix ?? null, host: route.rewriteHost ?? null },
    timeoutMs: route.timeoutMs ?? null,
    retries:
      route.retries === undefined
        ? null
        : {
            attempts: route.retries.attempts,
            perTryTimeoutMs: route.retries.perTryTimeoutMs ?? null,
          },
    balancer: route.balancer ?? null,
    createRevision: route.createRevision,
    modifyRevision: route.modifyRevision,
  };
}

function toHeadersJson(headers: Readonly<Record<string, FieldMatch>>): Record<string, string> {
  const exact: Record<string, string> = {};
  for (const [name, match] of Object.entries(headers)) {
    if ('exact' in match) exact[name] = match.exact;
  }
  return exact;
}
