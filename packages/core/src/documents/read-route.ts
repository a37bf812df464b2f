import type {
  CallerKey,
  Compression,
  CorsPolicy,
  Destination,
  DestinationRef,
  DirectResponse,
  FaultInjection,
  ForwardAuth,
  HeaderEdits,
  HedgePolicy,
  RateLimit,
  Redirect,
  RetryCondition,
  RetryPolicy,
  Route,
  RouteMatch,
} from '../model/route.ts';
import { BALANCER_NAMES, RETRY_CONDITIONS } from '../model/route.ts';
import type { FieldMatch, PathMatch, TextMatch } from '../model/text-match.ts';
import {
  asMembers,
  eitherOf,
  flagShape,
  listOf,
  mapOf,
  numberShape,
  objectOf,
  oneOf,
  optional,
  type Shape,
  ShapeError,
  textShape,
} from './shape.ts';

const textMatch: Shape<TextMatch> = eitherOf<TextMatch>({
  exact: textShape,
  prefix: textShape,
  regex: textShape,
});
const fieldMatch: Shape<FieldMatch> = eitherOf<FieldMatch>({
  exact: textShape,
  prefix: textShape,
  regex: textShape,
  present: flagShape,
});
const pathMatch: Shape<PathMatch> = eitherOf<PathMatch>({
  exact: textShape,
  prefix: textShape,
  startsWith: textShape,
  regex: textShape,
});

const match = objectOf<RouteMatch>({
  path: optional(pathMatch),
  ignorePathCase: optional(flagShape),
  methods: optional(listOf(textShape)),
  headers: optional(mapOf(fieldMatch)),
  withoutHeaders: optional(mapOf(fieldMatch)),
  query: optional(mapOf(fieldMatch)),
  sources: optional(listOf(textShape)),
  scheme: optional(oneOf('http', 'https')),
});

const headerEdits = objectOf<HeaderEdits>({
  remove: optional(listOf(textShape)),
  set: optional(mapOf(textShape)),
  add: optional(mapOf(textShape)),
});

const destinationRefFields = {
  service: textShape,
  namespace: textShape,
  group: textShape,
  subset: mapOf(textShape),
  subsetName: optional(textShape),
};
const destinationRef = objectOf<DestinationRef>(destinationRefFields);
const destination = objectOf<Destination>({
  ...destinationRefFields,
  weight: numberShape,
  requestHeaders: optional(headerEdits),
  responseHeaders: optional(headerEdits),
});

const retryCondition: Shape<RetryCondition> = oneOf(...RETRY_CONDITIONS);
const retries = objectOf<RetryPolicy>({
  attempts: numberShape,
  perTryTimeoutMs: optional(numberShape),
  on: optional(listOf(retryCondition)),
  statuses: optional(listOf(numberShape)),
  anyMethod: optional(flagShape),
  backoff: optional(
    objectOf<NonNullable<RetryPolicy['backoff']>>({ baseMs: numberShape, maxMs: numberShape }),
  ),
});

const hedge = objectOf<HedgePolicy>({ delayMs: numberShape, attempts: numberShape });

/** Reads what makes two requests the same caller's. */
export const callerKeyShape: Shape<CallerKey> = (value, path) => {
  const members = asMembers(value, path);
  switch (members.kind) {
    case 'source':
      return { kind: 'source' };
    case 'header':
    case 'query':
      return { kind: members.kind, name: textShape(members.name, `${path}.name`) };
    case 'cookie':
      return objectOf<Extract<CallerKey, { kind: 'cookie' }>>({
        kind: oneOf('cookie'),
        name: textShape,
        ttlMs: optional(numberShape),
        path: optional(textShape),
      })(value, path);
    default:
      throw new ShapeError(`${path}.kind`, 'one of header, query, source, cookie');
  }
};

const redirect = objectOf<Redirect>({
  status: oneOf(301, 302, 303, 307, 308),
  scheme: optional(oneOf('http', 'https')),
  host: optional(textShape),
  port: optional(numberShape),
  path: optional(textShape),
  prefix: optional(textShape),
});

const answer = objectOf<DirectResponse>({
  status: numberShape,
  body: optional(textShape),
  contentType: optional(textShape),
});

const fault = objectOf<FaultInjection>({
  delay: optional(
    objectOf<NonNullable<FaultInjection['delay']>>({ durationMs: numberShape, share: numberShape }),
  ),
  abort: optional(
    objectOf<NonNullable<FaultInjection['abort']>>({ status: numberShape, share: numberShape }),
  ),
});

const cors = objectOf<CorsPolicy>({
  origins: listOf(textMatch),
  methods: optional(listOf(textShape)),
  headers: optional(listOf(textShape)),
  exposeHeaders: optional(listOf(textShape)),
  maxAgeMs: optional(numberShape),
  credentials: optional(flagShape),
});

const limitedBy: Shape<RateLimit['by']> = (value, path) =>
  value === 'route' || value === 'address'
    ? value
    : { header: textShape(asMembers(value, path).header, `${path}.header`) };
const rateLimit = objectOf<RateLimit>({
  by: limitedBy,
  requests: numberShape,
  periodMs: numberShape,
  burst: optional(numberShape),
});

const auth = objectOf<ForwardAuth>({
  service: destinationRef,
  path: textShape,
  appendPath: optional(flagShape),
  requestHeaders: optional(listOf(textShape)),
  copyHeaders: optional(listOf(textShape)),
  timeoutMs: numberShape,
  failOpen: optional(flagShape),
});

const compression = objectOf<Compression>({
  codings: listOf(oneOf('zstd', 'br', 'gzip')),
  minBytes: numberShape,
  types: listOf(textShape),
});

export const balancerNameShape = oneOf(...BALANCER_NAMES);

const route = objectOf<Route>({
  name: textShape,
  namespace: textShape,
  hosts: listOf(textShape),
  matches: listOf(match),
  priority: optional(numberShape),
  destinations: listOf(destination),
  redirect: optional(redirect),
  answer: optional(answer),
  rewritePrefix: optional(textShape),
  rewriteRegex: optional(
    objectOf<NonNullable<Route['rewriteRegex']>>({ pattern: textShape, substitution: textShape }),
  ),
  rewriteHost: optional(textShape),
  requestHeaders: optional(headerEdits),
  responseHeaders: optional(headerEdits),
  timeoutMs: optional(numberShape),
  idleTimeoutMs: optional(numberShape),
  retries: optional(retries),
  hedge: optional(hedge),
  mirrors: optional(
    listOf(
      objectOf<NonNullable<Route['mirrors']>[number]>({
        ...destinationRefFields,
        share: numberShape,
      }),
    ),
  ),
  fault: optional(fault),
  cors: optional(cors),
  sticky: optional(callerKeyShape),
  rateLimits: optional(listOf(rateLimit)),
  bodyLimitBytes: optional(numberShape),
  compression: optional(compression),
  auth: optional(auth),
  balancer: optional(balancerNameShape),
  hash: optional(callerKeyShape),
  owner: optional(textShape),
});

/** Reads a route as the model has it, whoever wrote it down. Throws a `ShapeError`. */
export function readRoute(value: unknown, path = '$'): Route {
  return route(value, path);
}
