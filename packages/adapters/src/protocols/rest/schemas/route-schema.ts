import type { Destination, FieldMatch, Route, RouteMatch } from '@portolan/core';
import { z } from 'zod';
import { isHost } from '../../targets/probe-target.ts';
import type { BodyCodec, RuleProblem } from '../body/body-codec.ts';
import { describe } from '../body/zod-problems.ts';
import { DAY_MS, durationField, nameField } from './fields.ts';
import {
  answerField,
  authField,
  balancerField,
  callerField,
  compressionField,
  corsField,
  destinationRefFields,
  faultField,
  fieldMatch,
  headerEdits,
  headerName,
  hedgeField,
  hostField,
  methodField,
  networkField,
  pathField,
  pathMatch,
  patternField,
  rateLimitField,
  redirectField,
  retriesField,
  shareField,
  toDestinationRef,
} from './route-parts.ts';
import { withoutUndefined } from './without-undefined.ts';

const HOST_EXPECTED = 'a host name without port, or "*." and a host name';
const hostPattern = z
  .string({ error: HOST_EXPECTED })
  .transform((text) => text.toLowerCase())
  .refine((text) => isHost(text.startsWith('*.') ? text.slice(2) : text), { error: HOST_EXPECTED });

const timeField = durationField({ minMs: 1, maxMs: DAY_MS });

const matchSchema = z
  .strictObject({
    path: pathMatch.optional(),
    ignorePathCase: z.boolean().optional(),
    methods: z.array(methodField).max(16).optional(),
    headers: z.record(headerName, fieldMatch).optional(),
    withoutHeaders: z.record(headerName, fieldMatch).optional(),
    query: z.record(z.string().min(1).max(128), fieldMatch).optional(),
    sources: z.array(networkField).max(64).optional(),
    scheme: z.enum(['http', 'https']).optional(),
  })
  .meta({ id: 'RouteMatch' });

const destinationSchema = z
  .strictObject({
    ...destinationRefFields,
    weight: z.int().min(0).max(1_000_000).optional(),
    requestHeaders: headerEdits.optional(),
    responseHeaders: headerEdits.optional(),
  })
  .meta({ id: 'Destination' });

const mirrorSchema = z
  .strictObject({ ...destinationRefFields, share: shareField.optional() })
  .meta({ id: 'Mirror' });

const rewriteSchema = z.strictObject({
  prefix: pathField.optional(),
  host: hostField.optional(),
  pattern: patternField.optional(),
  substitution: z.string().max(1_024).optional(),
});

const NAME_IN_PATH = 'the same as in the path';

export const routeSchema = z
  .strictObject({
    name: nameField.optional(),
    namespace: nameField.optional(),
    hosts: z.array(hostPattern).max(64).optional(),
    match: z
      .union([matchSchema, z.array(matchSchema).max(64)], {
        error: 'a match or a list of matches',
      })
      .optional(),
    priority: z.int().min(-1_000_000).max(1_000_000).optional(),
    to: z.array(destinationSchema).min(1).max(64).optional(),
    redirect: redirectField.optional(),
    answer: answerField.optional(),
    rewrite: rewriteSchema.optional(),
    requestHeaders: headerEdits.optional(),
    responseHeaders: headerEdits.optional(),
    timeout: timeField.optional(),
    idleTimeout: timeField.optional(),
    retries: retriesField.optional(),
    hedge: hedgeField.optional(),
    mirrors: z.array(mirrorSchema).max(8).optional(),
    fault: faultField.optional(),
    cors: corsField.optional(),
    sticky: callerField.optional(),
    rateLimits: z.array(rateLimitField).max(8).optional(),
    bodyLimitBytes: z.int().min(0).optional(),
    compression: compressionField.optional(),
    auth: authField.optional(),
    balancer: balancerField.optional(),
    hash: callerField.optional(),
  })
  .meta({
    id: 'RouteBody',
    examples: [
      {
        hosts: ['reviews.example.com'],
        match: [{ path: { prefix: '/reviews' }, methods: ['GET'], headers: { 'x-user': 'a' } }],
        to: [
          { service: 'reviews', labels: { version: 'v1' }, weight: 80 },
          { service: 'reviews', labels: { version: 'v2' }, weight: 20 },
        ],
        sticky: { header: 'x-user' },
        timeout: '15s',
        retries: { attempts: 2, perTryTimeout: '2s', on: ['gateway-error', 'reset'] },
        balancer: 'least-request',
      },
    ],
  });

/** The codec of one named route: the body may repeat its name but not contradict the path. */
export function routeCodec(name: string, namespace: string): BodyCodec<typeof routeSchema> {
  return {
    schema: routeSchema,
    rules: (body) => {
      const problems: RuleProblem[] = [];
      for (const [field, asked] of Object.entries({ name, namespace })) {
        const given = body[field];
        if (given !== undefined && given !== asked) {
          problems.push({ path: [field], expected: NAME_IN_PATH, found: describe(given) });
        }
      }
      return [...problems, ...contradictions(body)];
    },
  };
}

function contradictions(body: Readonly<Record<string, unknown>>): RuleProblem[] {
  const problems: RuleProblem[] = [];
  const ends = ['to', 'redirect', 'answer'].filter((field) => body[field] !== undefined);
  if (ends.length === 0) {
    problems.push({ path: ['to'], expected: 'destinations, or a redirect or an answer instead' });
  }
  for (const field of ends.slice(1)) {
    problems.push({ path: [field], expected: `nothing: the route has ${ends[0]} already` });
  }
  const rewrite = body.rewrite as Readonly<Record<string, unknown>> | undefined;
  if (typeof rewrite === 'object' && rewrite !== null) {
    if (rewrite.pattern !== undefined && rewrite.prefix !== undefined) {
      problems.push({ path: ['rewrite', 'pattern'], expected: 'a prefix or a pattern, not both' });
    }
    if ((rewrite.pattern === undefined) !== (rewrite.substitution === undefined)) {
      problems.push({ path: ['rewrite'], expected: 'a pattern with its substitution' });
    }
  }
  const cors = body.cors as Readonly<Record<string, unknown>> | undefined;
  const anyOrigin = Array.isArray(cors?.origins) && cors.origins.some(isAnyOrigin);
  if (cors?.credentials === true && anyOrigin) {
    problems.push({
      path: ['cors', 'origins'],
      expected: 'origins by name, as credentials are allowed',
    });
  }
  return problems;
}

function isAnyOrigin(origin: unknown): boolean {
  return origin === '*' || (origin as { exact?: unknown } | null)?.exact === '*';
}

export function toRoute(
  body: z.output<typeof routeSchema>,
  name: string,
  namespace: string,
): Route {
  const matches =
    body.match === undefined ? [] : Array.isArray(body.match) ? body.match : [body.match];
  const { rewrite, auth } = body;
  return withoutUndefined({
    name,
    namespace,
    hosts: body.hosts ?? [],
    matches: matches.map(toMatch),
    priority: body.priority,
    destinations: (body.to ?? []).map((destination) => toDestination(destination, namespace)),
    redirect: body.redirect,
    answer: body.answer,
    rewritePrefix: rewrite?.prefix,
    rewriteRegex:
      rewrite?.pattern === undefined
        ? undefined
        : { pattern: rewrite.pattern, substitution: rewrite.substitution ?? '' },
    rewriteHost: rewrite?.host,
    requestHeaders: body.requestHeaders,
    responseHeaders: body.responseHeaders,
    timeoutMs: body.timeout,
    idleTimeoutMs: body.idleTimeout,
    retries: body.retries,
    hedge: body.hedge,
    mirrors: body.mirrors?.map((mirror) => ({
      ...toDestinationRef(mirror, namespace),
      share: mirror.share ?? 1,
    })),
    fault: body.fault,
    cors: body.cors,
    sticky: body.sticky,
    rateLimits: body.rateLimits,
    bodyLimitBytes: body.bodyLimitBytes,
    compression: body.compression,
    auth:
      auth === undefined
        ? undefined
        : withoutUndefined({
            service: toDestinationRef(auth, namespace),
            path: auth.path ?? '/',
            appendPath: auth.appendPath,
            requestHeaders: auth.requestHeaders,
            copyHeaders: auth.copyHeaders,
            timeoutMs: auth.timeout ?? 1_000,
            failOpen: auth.failOpen,
          }),
    balancer: body.balancer,
    hash: body.hash,
  });
}

function toMatch(body: z.output<typeof matchSchema>): RouteMatch {
  const { path, methods } = body;
  return withoutUndefined({
    path: typeof path === 'string' ? { prefix: path } : path,
    ignorePathCase: body.ignorePathCase,
    methods: methods !== undefined && methods.length > 0 ? methods : undefined,
    headers: body.headers && toFieldMatches(body.headers, true),
    withoutHeaders: body.withoutHeaders && toFieldMatches(body.withoutHeaders, true),
    query: body.query && toFieldMatches(body.query, false),
    sources: body.sources,
    scheme: body.scheme,
  });
}

function toFieldMatches(
  fields: Readonly<Record<string, string | FieldMatch>>,
  foldsCase: boolean,
): Record<string, FieldMatch> {
  const matches: Record<string, FieldMatch> = Object.create(null);
  for (const [name, match] of Object.entries(fields)) {
    const key = foldsCase ? name.toLowerCase() : name;
    matches[key] = typeof match === 'string' ? { exact: match } : match;
  }
  return matches;
}

function toDestination(body: z.output<typeof destinationSchema>, namespace: string): Destination {
  return withoutUndefined({
    ...toDestinationRef(body, namespace),
    weight: body.weight ?? 1,
    requestHeaders: body.requestHeaders,
    responseHeaders: body.responseHeaders,
  });
}

const share = z.int().min(0).max(1_000_000);
const WEIGHTS_EXPECTED =
  'a list of weights in the order of "to", or an object of version to weight';

export const weightsSchema = z
  .strictObject({
    weights: z.union([z.array(share).min(1).max(64), z.record(z.string(), share)], {
      error: WEIGHTS_EXPECTED,
    }),
  })
  .meta({
    id: 'RouteWeights',
    examples: [{ weights: [80, 20] }, { weights: { v1: 80, v2: 20 } }],
  });

export const weightsCodec: BodyCodec<typeof weightsSchema> = { schema: weightsSchema };
