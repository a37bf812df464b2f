import { z } from 'zod';
import { count, duration, listenAddress, size } from './value-types.ts';

const enabled = z.boolean({ error: 'expected true or false' });

/** A dialect over HTTP: on the control port, or on a port of its own. */
const overHttp = z.strictObject({
  enabled,
  /** A port of its own; absent: it is served on the control port. */
  listen: listenAddress.optional(),
});

/** The namespace that clients live in which know of none. */
const namespace = z.string({ error: 'expected the name of a namespace' }).min(1, {
  error: 'expected the name of a namespace',
});

/** At most 63 characters, so that a question's answer always has room for it. */
const ZONE = /^(?=.{1,63}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
const zone = z
  .string({ error: 'expected a domain name' })
  .transform((name) => name.toLowerCase().replace(/\.$/, ''))
  .refine((name) => ZONE.test(name), { error: 'expected a domain name of at most 63 characters' });

/** Questions for services over UDP and TCP. */
const dns = z.strictObject({
  enabled,
  listen: listenAddress,
  /** Zone of the names, as in `web.service.portolan`. */
  zone,
  /** More zones with the same content; their names may carry the data centre where `zone` has the namespace. */
  aliases: z.array(zone, { error: 'expected a list of domain names' }),
  /** Label that may stand behind `service` in names of the aliases. */
  datacenter: z.string({ error: 'expected a name' }).min(1, { error: 'expected a name' }),
  /** How long an answer may be remembered, in whole seconds. */
  ttl: duration(),
  /** How long it may be remembered that there is nothing. */
  negativeTtl: duration(),
  /** Largest answer over UDP, to those who say that they can take it; others get 512 bytes. */
  udpPayload: size({ atLeastBytes: 512, atMostBytes: 8_192 }),
  /** Answers over UDP to one source (an IPv4 address, an IPv6 /64) in a second; over it, TCP is asked for. 0: no limit. */
  responsesPerSecond: count(0, 10_000_000),
  /** Open TCP connections. */
  connections: count(1, 1_000_000),
  /** How long a TCP connection may take for its next question. */
  idleTimeout: duration({ atLeastMs: 1 }),
});

/** The native API over gRPC, without TLS. */
const grpc = z.strictObject({
  enabled,
  listen: listenAddress,
  /** Longest message that is taken. */
  message: size({ atLeastBytes: 64 * 1_024, atMostBytes: 64 * 1_024 * 1_024 }),
  connections: count(1, 1_000_000),
  /** Calls under way on one connection. */
  streams: count(1, 100_000),
  /** Open watches. */
  watchers: count(0, 1_000_000),
  /** After so much silence a connection is asked whether it lives. */
  keepalive: duration({ atLeastMs: 1_000 }),
  /** How long a connection without calls may rest. */
  idleTimeout: duration({ atLeastMs: 1_000 }),
});

/** The languages of other registries. What is not enabled is never loaded. */
export const dialects = z.strictObject({
  consul: overHttp,
  eureka: overHttp.extend({ namespace }),
  nacos: overHttp.extend({
    namespace,
    /** Where Java clients of Nacos 2 and 3 come: their main port and 1000. Absent: it is not served. */
    grpc: listenAddress.optional(),
    /** Lines of `name:password`: who may speak Nacos. Absent: everybody. */
    userFile: z
      .string({ error: 'expected a file' })
      .min(1, { error: 'expected a file' })
      .optional(),
  }),
  dns,
  grpc,
});
