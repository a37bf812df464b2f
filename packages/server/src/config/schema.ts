import { BALANCER_NAMES, parseIp } from '@portolan/core';
import { z } from 'zod';
import { dialects } from './dialects-schema.ts';
import { listeners } from './listener-schema.ts';
import {
  count,
  dockerEngine,
  duration,
  httpUrl,
  listenAddress,
  network,
  share,
  size,
} from './value-types.ts';

const words = (what: string) =>
  z.array(z.string({ error: `expected ${what}` }), { error: `expected a list of ${what}` });
const flag = z.boolean({ error: 'expected true or false' });
const KIB = 1024;
const headSize = size({ atLeastBytes: 1024, atMostBytes: 1024 * KIB });

const control = z.strictObject({
  /** Address of the API, the pages for people and the metrics. */
  listen: listenAddress,
  /** Host names, besides IP addresses and `localhost`, under which the API answers: a guard against DNS rebinding. */
  allowedHosts: words('host names'),
  limits: z.strictObject({
    connections: count(1, 1_000_000),
    head: headSize,
    /** Time to receive a request's head. */
    headTimeout: duration({ atLeastMs: 1 }),
    /** Time to receive a request's body. */
    bodyTimeout: duration({ atLeastMs: 1 }),
    /** How long a connection may rest between requests. */
    idleTimeout: duration({ atLeastMs: 1 }),
    /** A reader that takes nothing of a waiting answer for this long is cut off. */
    writeTimeout: duration({ atLeastMs: 1 }),
    /** Open streams and long polls. */
    watchers: count(0, 1_000_000),
  }),
  /** Above any of these, requests are refused with 429: reads at once, writes from twice, heartbeats from eight times as much. */
  overload: z.strictObject({
    /** Writes and heartbeats that wait for their answer. */
    requests: count(1, 10_000_000),
    /** Bytes of their bodies. */
    bytes: size({ atLeastBytes: 64 * KIB, atMostBytes: 1024 * 1024 * KIB }),
    /** Lag of the event loop; 0: it is not looked at. */
    lag: duration(),
  }),
});

const CREDENTIALS = ['authorization', 'cookie', 'proxy-authorization'];

const accessLog = z.strictObject({
  format: z.enum(['json', 'common', 'combined']).default('json'),
  /** A file, appended to and opened anew at each reload; `stdout` is standard output. */
  path: z
    .string({ error: 'expected a file' })
    .min(1, { error: 'expected a file' })
    .default('stdout'),
  /** Share of the requests that is written; those that failed (no answer, 5xx, an error of the gateway) always are. */
  sampling: share().default(1),
  /** Request headers to write as well; JSON only. */
  headers: z
    .array(
      z
        .string({ error: 'expected a header name' })
        .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, { error: 'expected a header name' })
        .transform((name) => name.toLowerCase())
        .refine((name) => !CREDENTIALS.includes(name), {
          error: 'expected a header that does not carry credentials',
        }),
      { error: 'expected a list of header names' },
    )
    .default([]),
});

const gateway = z.strictObject({
  listen: listenAddress,
  /** More ports: TCP, and TLS passed through by server name. */
  listeners,
  /** Processes that serve it, all at the same address; with 1 the server serves it itself. */
  workers: count(1, 1_024),
  /** With `role: gateway`: the registry to follow. */
  registry: httpUrl.optional(),
  /** Proxies that may connect and have to open with a PROXY header; absent: no header is taken. Not for `listeners`. */
  proxyProtocolFrom: z.array(network, { error: 'expected a list of IP networks' }).optional(),
  /** Whether clients may speak HTTP/2: by ALPN, and without TLS by prior knowledge. */
  http2: flag,
  /** Peers whose `Forwarded` and `X-Forwarded-*` are believed. */
  trustedProxies: z.array(network, { error: 'expected a list of IP networks' }),
  /** Whether a service is reached by its name (`/SERVICE/…`, `Host: SERVICE`) without a route, and beside its routes. */
  routeByName: flag,
  defaultBalancer: z.enum(BALANCER_NAMES),
  /** Where this gateway is, for traffic policies that prefer what is near; instances say it by their labels `zone` and `region`. */
  zone: z.string({ error: 'expected a name' }).optional(),
  region: z.string({ error: 'expected a name' }).optional(),
  /** File of at least 32 bytes that signs the cookies of session affinity; the same for every gateway. Absent: a key of each process. */
  cookieKeyFile: z
    .string({ error: 'expected a file' })
    .min(1, { error: 'expected a file' })
    .optional(),
  limits: z.strictObject({
    connections: count(1, 1_000_000),
    head: headSize,
    /** Requests under way to one endpoint. */
    requestsPerEndpoint: count(1, 1_000_000),
  }),
  /** When to refuse requests with 503 rather than serve all of them late. */
  overload: z.strictObject({
    /** Requests under way, WebSockets among them; for each worker. */
    requests: count(1, 10_000_000),
    /** Lag of the event loop from which on some are refused, and all at twice as much; 0: never. */
    lag: duration(),
  }),
  timeouts: z.strictObject({
    head: duration({ atLeastMs: 1 }),
    idle: duration({ atLeastMs: 1 }),
    connect: duration({ atLeastMs: 1 }),
    /** From the request's head to the answer's last byte, where a route does not say; 0: no limit. */
    request: duration(),
  }),
  retries: z.strictObject({
    /** Tries after the first, where a route does not say. */
    attempts: count(0, 10),
    /** Share of the requests under way that may be retries. */
    budgetShare: share(),
    /** Retries that are always allowed at the same time, whatever the share. */
    budgetMinimum: count(0, 100_000),
  }),
  outlier: z.strictObject({
    enabled: flag,
    /** Failures in a row that eject an endpoint. */
    consecutiveFailures: count(1, 10_000),
    baseEjection: duration({ atLeastMs: 1 }),
    maxEjection: duration({ atLeastMs: 1 }),
    /** Share of a service's endpoints that may be ejected at the same time. */
    maxEjectedShare: share(),
  }),
  /** How long requests under way may take to finish at shutdown. */
  drain: duration(),
  /** Absent: none is written. */
  accessLog: accessLog.optional(),
});

const leaseTimes = z.strictObject({
  heartbeat: duration({ atLeastMs: 10 }),
  ttl: duration({ atLeastMs: 20 }),
});

const registry = z.strictObject({
  leases: z.strictObject({
    default: leaseTimes,
    fast: leaseTimes,
    /** Profile of a registration that names neither lease nor check. */
    defaultProfile: z.enum(['default', 'fast', 'none']),
  }),
  checks: z.strictObject({
    interval: duration({ atLeastMs: 100 }),
    timeout: duration({ atLeastMs: 10 }),
    rise: count(1, 100),
    fall: count(1, 100),
    /** Probes under way at the same time. */
    maxConcurrent: count(1, 100_000),
    /** A probe starts up to this share of its interval early or late. */
    jitterShare: share(),
  }),
  /** Mass-loss protection, per service. */
  protection: z.strictObject({
    enabled: flag,
    /** Services with fewer healthy instances are never protected. */
    minInstances: count(1, 1_000_000),
    /** Losing more than this share within the window is not believed. */
    maxLossShare: share(),
    window: duration({ atLeastMs: 1 }),
    /** After this long the loss is believed. */
    maxDuration: duration({ atLeastMs: 1 }),
    /** Believed as soon as the remaining instances were steady for this long. */
    steady: duration({ atLeastMs: 1 }),
    /** Share of the kept instances given up each second once it is believed. */
    evictShare: share(),
  }),
  /** What happens when a second id claims an address and port of a service. */
  onAddressConflict: z.enum(['supersede', 'reject']),
  events: z.strictObject({
    /** How many past events a reader can still resume from. */
    windowSize: count(1, 10_000_000),
  }),
});

const docker = z.strictObject({
  /** Engine whose containers are registered: `unix://…`, `tcp://…`, `https://…`; `auto`: `DOCKER_HOST`, else the default socket. Absent: none. */
  engine: dockerEngine.optional(),
  /** Owner of what is registered; another one for each engine of registries that share a store. */
  name: z
    .string({ error: 'expected a name' })
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, { error: 'expected a name' }),
  /** Namespace of services whose labels name none. */
  namespace: z.string({ error: 'expected a name' }).min(1, { error: 'expected a name' }),
  /** Whether containers without any label are registered too. */
  exposeByDefault: flag,
  /** Networks to prefer, the first one first, where labels name none. */
  networks: words('network names'),
  /** Where the gateway is, as the engine sees it; `auto` finds out. */
  gatewayOn: z.enum(['auto', 'host', 'container', 'elsewhere']),
  /** Address at which the gateway reaches the engine's machine, for published ports and `network_mode: host`; absent: found. */
  hostAddress: z
    .string({ error: 'expected an IP address' })
    .refine((text) => parseIp(text) !== undefined, { error: 'expected an IP address' })
    .optional(),
  /** Whether the services of a swarm are registered, where the engine manages one. */
  swarm: flag,
  /** How often all is compared with what the engine lists, in case an event was missed. */
  resync: duration({ atLeastMs: 1_000 }),
});

/** A static registration or a route: read by the same code that reads the API's bodies. */
const document = z.record(z.string(), z.unknown(), { error: 'expected fields as in the HTTP API' });

/** The whole configuration. Every section is complete: `DEFAULTS` is the first layer. */
export const configSchema = z.strictObject({
  role: z.enum(['both', 'registry', 'gateway']),
  control,
  gateway,
  store: z.strictObject({
    dataDir: z.string({ error: 'expected a folder' }).min(1, { error: 'expected a folder' }),
  }),
  registry,
  dialects,
  network: z.strictObject({
    /** Networks whose addresses may be registered and dialled. */
    allow: z.array(network, { error: 'expected a list of IP networks' }),
    /** `auto`: only while the control port itself listens on loopback. */
    allowLoopback: z.union([z.literal('auto'), z.boolean()], {
      error: 'expected auto, true or false',
    }),
  }),
  docker,
  checks: z.strictObject({
    /** Whether `services` below may use script checks. The API never may. */
    scripts: flag,
  }),
  services: z.array(document, { error: 'expected a list of registrations' }),
  routes: z.array(document, { error: 'expected a list of routes' }),
  policies: z.array(document, { error: 'expected a list of traffic policies' }),
  log: z.strictObject({
    level: z.enum(['debug', 'info', 'warn', 'error', 'silent']),
    format: z.enum(['auto', 'json', 'pretty']),
  }),
  metrics: z.strictObject({
    enabled: flag,
    /** Label children a metric may have; the rest is counted as `other`. */
    maxChildren: count(1, 100_000),
  }),
  shutdown: z.strictObject({
    /** All of it, drain included; then what is left is cut off. */
    timeout: duration({ atLeastMs: 1 }),
  }),
});

/** As written in files: durations and sizes as text. */
export type PortolanConfigInput = z.input<typeof configSchema>;

/** Checked and complete: durations in milliseconds, sizes in bytes, addresses parsed. */
export type PortolanConfig = z.output<typeof configSchema>;
