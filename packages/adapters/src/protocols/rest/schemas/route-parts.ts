import {
  BALANCER_NAMES,
  type CallerKey,
  DEFAULT_GROUP,
  parseCidr,
  RETRY_CONDITIONS,
  type TextMatch,
} from '@portolan/core';
import { RE2JS } from 're2js';
import { z } from 'zod';
import { isHost } from '../../targets/probe-target.ts';
import { DAY_MS, durationField, metadataField, nameField, toLabelValues } from './fields.ts';
import { withoutUndefined } from './without-undefined.ts';

export const PATH_EXPECTED =
  'an absolute path in canonical form: "/" first, no query, no fragment, no dot segments, no raw space';
export const pathField = z
  .string({ error: PATH_EXPECTED })
  .max(1_024)
  .refine(isCanonicalPath, { error: PATH_EXPECTED });

const PATTERN_EXPECTED = 'a pattern in RE2 syntax (no look-around, no back-references)';
export const patternField = z
  .string({ error: PATTERN_EXPECTED })
  .min(1, { error: PATTERN_EXPECTED })
  .max(1_024)
  .refine(isPattern, { error: PATTERN_EXPECTED });

const HEADER_EXPECTED = 'a header field name';
export const headerName = z
  .string({ error: HEADER_EXPECTED })
  .max(128)
  .refine(isToken, { error: HEADER_EXPECTED });

const plainText = z.string().max(1_024);
const TEXT_MATCH_EXPECTED = 'text, or one of {"exact"}, {"prefix"} and {"regex"}';
const textVariants = [
  z.strictObject({ exact: plainText }),
  z.strictObject({ prefix: plainText }),
  z.strictObject({ regex: patternField }),
] as const;

/** Text stands for exactly that text. */
const textMatch = z
  .union([plainText, ...textVariants], { error: TEXT_MATCH_EXPECTED })
  .transform((match): TextMatch => (typeof match === 'string' ? { exact: match } : match));

export const fieldMatch = z.union(
  [plainText, ...textVariants, z.strictObject({ present: z.boolean() })],
  { error: `${TEXT_MATCH_EXPECTED.replace(' and', ',')} and {"present"}` },
);

export const pathMatch = z.union(
  [
    pathField,
    z.strictObject({ exact: pathField }),
    z.strictObject({ prefix: pathField }),
    z.strictObject({ startsWith: pathField }),
    z.strictObject({ regex: patternField }),
  ],
  {
    error:
      'a path prefix, or one of {"exact": path}, {"prefix": path}, {"startsWith": path} and {"regex": pattern}',
  },
);

export const METHOD_EXPECTED = 'an HTTP method in upper case';
export const methodField = z
  .string({ error: METHOD_EXPECTED })
  .regex(/^[A-Z]{1,24}$/, { error: METHOD_EXPECTED });

const NETWORK_EXPECTED = 'an IP address or a network such as 10.0.0.0/8';
export const networkField = z
  .string({ error: NETWORK_EXPECTED })
  .refine((text) => parseCidr(text) !== undefined, { error: NETWORK_EXPECTED });

export const hostField = z
  .string({ error: 'a host name without port' })
  .refine((text) => isHost(text), { error: 'a host name without port' })
  .transform((text) => text.toLowerCase());

export const shareField = z.number({ error: 'a share from 0 to 1' }).min(0).max(1);
const timeField = durationField({ minMs: 1, maxMs: DAY_MS });
export const finalStatus = z.int().min(200).max(599);

const HEADER_VALUE_EXPECTED = 'a header value: no control characters, nothing beyond Latin-1';
const headerValue = z
  .string({ error: HEADER_VALUE_EXPECTED })
  .max(4_096)
  .refine((text) => isHeaderValue(text), { error: HEADER_VALUE_EXPECTED });

export const headerEdits = z
  .strictObject({
    remove: z.array(headerName).max(64).optional(),
    set: z.record(headerName, headerValue).optional(),
    add: z.record(headerName, headerValue).optional(),
  })
  .transform(withoutUndefined)
  .meta({ id: 'HeaderEdits' });

/** The words for some instances of a service, wherever one is meant. */
export const destinationRefFields = {
  service: nameField,
  namespace: nameField.optional(),
  group: nameField.optional(),
  labels: metadataField.optional(),
  /** A subset that the service's traffic policy names. */
  subset: nameField.optional(),
};

/** Those words in the model's terms; `namespace` is the route's. */
export function toDestinationRef(
  body: {
    readonly service: string;
    readonly namespace?: string | undefined;
    readonly group?: string | undefined;
    readonly labels?: Readonly<Record<string, string | number | boolean>> | undefined;
    readonly subset?: string | undefined;
  },
  namespace: string,
) {
  return {
    service: body.service,
    namespace: body.namespace ?? namespace,
    group: body.group ?? DEFAULT_GROUP,
    subset: toLabelValues(body.labels ?? {}),
    ...(body.subset === undefined ? undefined : { subsetName: body.subset }),
  };
}

export const retriesField = z
  .strictObject({
    attempts: z.int().min(0).max(10),
    perTryTimeout: timeField.optional(),
    on: z.array(z.enum(RETRY_CONDITIONS)).max(16).optional(),
    statuses: z.array(finalStatus).max(64).optional(),
    anyMethod: z.boolean().optional(),
    backoff: z
      .strictObject({ base: timeField, max: timeField.optional() })
      .transform(({ base, max }) => ({ baseMs: base, maxMs: Math.max(base, max ?? 10 * base) }))
      .optional(),
  })
  .transform(({ perTryTimeout, ...rest }) =>
    withoutUndefined({ ...rest, perTryTimeoutMs: perTryTimeout }),
  )
  .meta({ id: 'Retries' });

export const hedgeField = z
  .strictObject({ delay: timeField, attempts: z.int().min(1).max(5).optional() })
  .transform(({ delay, attempts }) => ({ delayMs: delay, attempts: attempts ?? 1 }));

export const redirectField = z
  .strictObject({
    status: z
      .union([z.literal(301), z.literal(302), z.literal(303), z.literal(307), z.literal(308)], {
        error: 'one of 301, 302, 303, 307, 308',
      })
      .optional(),
    scheme: z.enum(['http', 'https']).optional(),
    host: hostField.optional(),
    port: z.int().min(1).max(65_535).optional(),
    path: pathField.optional(),
    prefix: pathField.optional(),
  })
  .transform(({ status, ...rest }) => withoutUndefined({ status: status ?? 302, ...rest }))
  .meta({ id: 'Redirect' });

export const answerField = z
  .strictObject({
    status: finalStatus,
    body: z.string().max(65_536).optional(),
    contentType: headerValue.optional(),
  })
  .transform(withoutUndefined)
  .meta({ id: 'DirectResponse' });

export const faultField = z
  .strictObject({
    delay: z
      .strictObject({ duration: timeField, share: shareField.optional() })
      .transform(({ duration, share }) => ({ durationMs: duration, share: share ?? 1 }))
      .optional(),
    abort: z
      .strictObject({ status: finalStatus, share: shareField.optional() })
      .transform(({ status, share }) => ({ status, share: share ?? 1 }))
      .optional(),
  })
  .transform(withoutUndefined)
  .meta({ id: 'Fault' });

export const corsField = z
  .strictObject({
    origins: z.array(textMatch).min(1).max(64),
    methods: z.array(methodField).max(32).optional(),
    headers: z.array(headerName).max(64).optional(),
    exposeHeaders: z.array(headerName).max(64).optional(),
    maxAge: durationField({ minMs: 0, maxMs: DAY_MS }).optional(),
    credentials: z.boolean().optional(),
  })
  .transform(({ maxAge, ...rest }) => withoutUndefined({ ...rest, maxAgeMs: maxAge }))
  .meta({ id: 'Cors' });

// RFC 6265 §4.1.1.
export const cookieName = z.string().min(1).max(128).refine(isToken, { error: 'a cookie name' });
export const cookieTtl = durationField({ minMs: 0, maxMs: 400 * DAY_MS });

const CALLER_EXPECTED =
  'one of {"header": name}, {"query": name}, {"cookie": name} and {"source": true}';
export const callerField = z
  .union(
    [
      z.strictObject({ header: headerName }),
      z.strictObject({ query: z.string().min(1).max(128) }),
      z.strictObject({
        cookie: cookieName,
        ttl: cookieTtl.optional(),
        path: pathField.optional(),
      }),
      z.strictObject({ source: z.literal(true) }),
    ],
    { error: CALLER_EXPECTED },
  )
  .transform((by): CallerKey => {
    if ('header' in by) return { kind: 'header', name: by.header.toLowerCase() };
    if ('query' in by) return { kind: 'query', name: by.query };
    if ('source' in by) return { kind: 'source' };
    return withoutUndefined({
      kind: 'cookie' as const,
      name: by.cookie,
      ttlMs: by.ttl,
      path: by.path,
    });
  })
  .meta({ id: 'Caller' });

export const rateLimitField = z
  .strictObject({
    by: z
      .union([z.literal('route'), z.literal('address'), z.strictObject({ header: headerName })], {
        error: '"route", "address" or {"header": name}',
      })
      .optional(),
    requests: z.int().min(1).max(1_000_000_000),
    period: durationField({ minMs: 1, maxMs: DAY_MS }),
    burst: z.int().min(1).max(1_000_000_000).optional(),
  })
  .transform(({ by, period, ...rest }) =>
    withoutUndefined({
      ...rest,
      by: by === undefined || typeof by === 'string' ? (by ?? ('route' as const)) : by,
      periodMs: period,
    }),
  )
  .meta({ id: 'RateLimit' });

const DEFAULT_COMPRESSION = {
  codings: ['zstd', 'br', 'gzip'] as const,
  minBytes: 1_024,
  types: [
    'text/*',
    'application/json',
    'application/javascript',
    'application/xml',
    'application/problem+json',
    'image/svg+xml',
  ],
};
export const compressionField = z
  .union(
    [
      z.literal(true),
      z.strictObject({
        codings: z
          .array(z.enum(['zstd', 'br', 'gzip']))
          .min(1)
          .max(3)
          .optional(),
        minBytes: z.int().min(0).max(1_073_741_824).optional(),
        types: z
          .array(z.string().regex(/^[a-z0-9.+-]+\/(?:\*|[a-z0-9.+-]+)$/, { error: 'a media type' }))
          .min(1)
          .max(64)
          .optional(),
      }),
    ],
    { error: 'true, or an object' },
  )
  .transform((body) => ({
    ...DEFAULT_COMPRESSION,
    ...(body === true ? {} : withoutUndefined(body)),
  }))
  .meta({ id: 'Compression' });

export const authField = z
  .strictObject({
    ...destinationRefFields,
    path: pathField.optional(),
    appendPath: z.boolean().optional(),
    requestHeaders: z.array(headerName).max(64).optional(),
    copyHeaders: z.array(headerName).max(64).optional(),
    timeout: timeField.optional(),
    failOpen: z.boolean().optional(),
  })
  .meta({ id: 'ForwardAuth' });

export const balancerField = z.enum(BALANCER_NAMES);

/** The gateway matches one canonical target (architecture §6.1); a pattern it can never see is a mistake. */
function isCanonicalPath(path: string): boolean {
  return (
    /^\/[!$&-.0-;=@-Z_a-z~%/]*$/.test(path) &&
    !path.includes('//') &&
    !/(^|\/)\.{1,2}(\/|$)/.test(path) &&
    !/%(?![0-9A-F]{2})/.test(path)
  );
}

function isPattern(text: string): boolean {
  try {
    RE2JS.compile(text);
    return true;
  } catch {
    return false;
  }
}

// RFC 9110 §5.5, and no space at either end, which no recipient would see.
function isHeaderValue(text: string): boolean {
  return /^[!-~\u0080-\u00ff](?:[\t -~\u0080-\u00ff]*[!-~\u0080-\u00ff])?$|^$/.test(text);
}

// RFC 9110 §5.6.2.
function isToken(text: string): boolean {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text);
}
