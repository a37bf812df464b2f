import type { DestinationRef, FieldMatch, RouteMatch, StoredRoute } from '@portolan/core';

/**
 * A route as the API answers it: the shape of its body with defaults filled in, durations in milliseconds, and what is not set
 * absent (null where it always was).
 */
export function toRouteJson(route: StoredRoute) {
  const { matches, destinations, rewritePrefix, rewriteHost, rewriteRegex, retries, ...rest } =
    route;
  const { createRevision, modifyRevision, timeoutMs, balancer, mirrors, auth, ...same } = rest;
  const rewrites = rewritePrefix ?? rewriteHost ?? rewriteRegex;
  return {
    ...same,
    match: matches.map(toMatchJson),
    to: destinations.map(toDestinationJson),
    rewrite:
      rewrites === undefined
        ? null
        : { prefix: rewritePrefix ?? null, host: rewriteHost ?? null, ...rewriteRegex },
    timeoutMs: timeoutMs ?? null,
    retries:
      retries === undefined
        ? null
        : { ...retries, perTryTimeoutMs: retries.perTryTimeoutMs ?? null },
    ...(mirrors === undefined ? undefined : { mirrors: mirrors.map(toDestinationJson) }),
    ...(auth === undefined ? undefined : { auth: { ...auth, ...toDestinationJson(auth.service) } }),
    balancer: balancer ?? null,
    createRevision,
    modifyRevision,
  };
}

function toMatchJson({ headers, withoutHeaders, query, ...same }: RouteMatch) {
  return {
    ...same,
    ...(headers === undefined ? undefined : { headers: toFieldsJson(headers) }),
    ...(withoutHeaders === undefined
      ? undefined
      : { withoutHeaders: toFieldsJson(withoutHeaders) }),
    ...(query === undefined ? undefined : { query: toFieldsJson(query) }),
  };
}

/** What has to be equal is told as the text alone. */
function toFieldsJson(fields: Readonly<Record<string, FieldMatch>>) {
  // Without a prototype: a field named `__proto__` is only a field.
  const told: Record<string, string | FieldMatch> = Object.create(null);
  for (const [name, match] of Object.entries(fields)) {
    told[name] = 'exact' in match ? match.exact : match;
  }
  return told;
}

function toDestinationJson<D extends DestinationRef>(destination: D) {
  const { service, namespace, group, subset, subsetName, ...same } = destination;
  return {
    service,
    namespace,
    group,
    labels: subset,
    ...(subsetName === undefined ? undefined : { subset: subsetName }),
    ...same,
  };
}
