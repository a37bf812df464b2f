import {
  DEFAULT_GROUP,
  DEFAULT_NAMESPACE,
  type Destination,
  type FieldMatch,
  type Route,
  type RouteMatch,
} from '@portolan/core';
import { z } from 'zod';
import type { BodyCodec, RuleProblem } from '../body/body-codec.ts';
import { describe } from '../body/zod-problems.ts';
import {
  DAY_MS,
  durationField,
  isHost,
  metadataField,
  nameField,
  toLabelValues,
} from './fields.ts';

const HOST_EXPECTED = 'a host name without port, or "*." and a host name';
const hostPattern = z
  .string({ error: HOST_EXPECTED })
  .transform((text) => text.toLowerCase())
  .refine((text) => isHost(text.startsWith('*.') ? text.slice(2) : text), { error: HOST_EXPECTED });

const PATH_EXPECTED =
  'an absolute path in canonical form: "/" first, no query, no fragment, no dot segments, no raw space';
const pathField = z
  .string({ error: PATH_EXPECTED })
  .max(1_024)
  .refine(isCanonicalPath, { error: PATH_EXPECTED });

const METHOD_EXPECTED = 'an HTTP method in upper case';
const HEADER_EXPECTED = 'a header field name';

const matchSchema = z
  .strictObject({
    path: z
      .union(
        [pathField, z.strictObject({ exact: pathField }), z.strictObject({ prefix: pathField })],
        { error: 'a path prefix, or {"exact": path} or {"prefix": path}' },
      )
      .optional(),
    methods: z
      .array(
        z.string({ error: METHOD_EXPECTED }).regex(/^[A-Z]{1,24}$/, { error: METHOD_EXPECTED }),
      )
      .max(16)
      .optional(),
    headers: z
      .record(
        z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, { error: HEADER_EXPECTED }),
        z.string().max(1_024),
      )
      .optional(),
  })
  .meta({ id: 'RouteMatch' });

const destinationSchema = z
  .strictObject({
    service: nameField,
    namespace: nameField.optional(),
    group: nameField.optional(),
    labels: metadataField.optional(),
    weight: z.int().min(0).max(1_000_000).optional(),
  })
  .meta({ id: 'Destination' });

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
    to: z.array(destinationSchema).min(1).max(64),
    rewrite: z
      .strictObject({
        prefix: pathField.optional(),
        host: z
          .string()
          .refine((text) => isHost(text), { error: 'a host name without port' })
          .optional(),
      })
      .optional(),
    timeout: durationField({ minMs: 1, maxMs: DAY_MS }).optional(),
    retries: z
      .strictObject({
        attempts: z.int().min(0).max(10),
        perTryTimeout: durationField({ minMs: 1, maxMs: DAY_MS }).optional(),
      })
      .optional(),
    balancer: z.enum(['weighted-round-robin', 'least-request']).optional(),
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
        timeout: '15s',
        retries: { attempts: 2, perTryTimeout: '2s' },
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
      return problems;
    },
  };
}

export function toRoute(
  body: z.output<typeof routeSchema>,
  name: string,
  namespace: string,
): Route {
  const matches =
    body.match === undefined ? [] : Array.isArray(body.match) ? body.match : [body.match];
  const retries = body.retries;
  return {
    name,
    namespace,
    hosts: body.hosts ?? [],
    matches: matches.map(toMatch),
    destinations: body.to.map((destination) => toDestination(destination, namespace)),
    ...(body.rewrite?.prefix === undefined ? undefined : { rewritePrefix: body.rewrite.prefix }),
    ...(body.rewrite?.host === undefined
      ? undefined
      : { rewriteHost: body.rewrite.host.toLowerCase() }),
    ...(body.timeout === undefined ? undefined : { timeoutMs: body.timeout }),
    ...(retries === undefined
      ? undefined
      : {
          retries: {
            attempts: retries.attempts,
            ...(retries.perTryTimeout === undefined
              ? undefined
              : { perTryTimeoutMs: retries.perTryTimeout }),
          },
        }),
    ...(body.balancer === undefined ? undefined : { balancer: body.balancer }),
  };
}

function toMatch(body: z.output<typeof matchSchema>): RouteMatch {
  const headers: Record<string, FieldMatch> = {};
  for (const [field, value] of Object.entries(body.headers ?? {})) {
    headers[field.toLowerCase()] = { exact: value };
  }
  return {
    ...(body.path === undefined
      ? undefined
      : { path: typeof body.path === 'string' ? { prefix: body.path } : body.path }),
    ...(body.methods === undefined || body.methods.length === 0
      ? undefined
      : { methods: body.methods }),
    ...(body.headers === undefined ? undefined : { headers }),
  };
}

function toDestination(
  body: z.output<typeof destinationSchema>,
  namespace: string = DEFAULT_NAMESPACE,
): Destination {
  return {
    service: body.service,
    namespace: body.namespace ?? namespace,
    group: body.group ?? DEFAULT_GROUP,
    subset: toLabelValues(body.labels ?? {}),
    weight: body.weight ?? 1,
  };
}

/** The gateway matches one canonical target (architecture §6.1); a pattern it can never see is a mistake. */
function isCanonicalPath(path: string): boolean {
  return (
    /^\/[!$&-.0-;=@-Z_a-z~%/]*$/.test(path) &&
    !path.includes('//') &&
    !/(^|\/)\.{1,2}(\/|$)/.test(path) &&
    !/%(?![0-9A-F]{2})/.test(path)
  );
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
