import { DEFAULT_GROUP, DEFAULT_NAMESPACE, type ServiceKey } from '@portolan/core';
import { z } from 'zod';
import { count, duration, listenAddress, network } from './value-types.ts';

const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const DOMAIN = /^(?=.{1,253}$)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+$/;
const SERVER_NAME = /^(?:\*|(?:\*\.)?[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*)$/;

const name = z
  .string({ error: 'expected a name' })
  .regex(NAME, { error: 'expected lower-case letters, digits and dashes, at most 63' });

const service = z
  .string({ error: 'expected SERVICE or NAMESPACE/SERVICE' })
  .transform((text, context): ServiceKey => {
    const [first = '', second, ...rest] = text.split('/');
    const namespace = second === undefined ? DEFAULT_NAMESPACE : first;
    const serviceName = second ?? first;
    if (namespace !== '' && serviceName !== '' && rest.length === 0) {
      return { namespace, group: DEFAULT_GROUP, name: serviceName };
    }
    context.addIssue({ code: 'custom', message: 'expected SERVICE or NAMESPACE/SERVICE' });
    return z.NEVER;
  });

const serverName = z
  .string({ error: 'expected a host name' })
  .regex(SERVER_NAME, { error: 'expected a host name, "*.SUFFIX" or "*"' });

const carried = {
  /** In logs and metrics. */
  name,
  listen: listenAddress,
  /** Proxies that may connect and have to open with a PROXY header; absent: no header is taken. */
  proxyProtocolFrom: z.array(network, { error: 'expected a list of IP networks' }).optional(),
  /** Version of the PROXY header that tells instances of the client; absent: none is sent. */
  proxyProtocol: z.union([z.literal(1), z.literal(2)], { error: 'expected 1 or 2' }).optional(),
  connections: count(1, 1_000_000).default(10_000),
  /** Without a byte in either direction. */
  idleTimeout: duration({ atLeastMs: 1 }).default(3_600_000),
};

const file = z.string({ error: 'expected a file' }).min(1, { error: 'expected a file' });

const https = z.strictObject({
  name,
  protocol: z.literal('https'),
  listen: listenAddress,
  /** PEM files; the server name chooses the first certificate that is valid for it. */
  certificates: z
    .array(z.strictObject({ certFile: file, keyFile: file }), {
      error: 'expected a list of { certFile, keyFile }',
    })
    .default([]),
  /** A certificate by ACME, proved by HTTP-01 on the gateway's plain port, kept in the data folder and renewed. */
  acme: z
    .strictObject({
      domains: z
        .array(
          z
            .string({ error: 'expected a host name' })
            .regex(DOMAIN, { error: 'expected a host name' }),
          {
            error: 'expected a list of host names',
          },
        )
        .min(1, { error: 'expected at least one host name' })
        .max(100, { error: 'expected at most 100 host names' }),
      email: z.email({ error: 'expected an e-mail address' }).optional(),
      directory: z
        .url({ protocol: /^https$/, error: 'expected an https URL' })
        .default('https://acme-v02.api.letsencrypt.org/directory'),
      /** PEM file of the authorities of the directory's own TLS. */
      caFile: file.optional(),
      /** So long before its end a certificate is renewed. */
      renewBefore: duration({ atLeastMs: 1 }).default(30 * 86_400_000),
    })
    .optional(),
  /** PEM file of the authorities whose certificates clients may show. */
  /** Proxies that may connect and have to open with a PROXY header; absent: no header is taken. */
  proxyProtocolFrom: z.array(network, { error: 'expected a list of IP networks' }).optional(),
  clientCaFile: file.optional(),
  clientAuth: z.enum(['none', 'optional', 'require']).default('none'),
  minVersion: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.2'),
  connections: count(1, 1_000_000).default(20_000),
  handshakeTimeout: duration({ atLeastMs: 1 }).default(10_000),
});

/** A port beside `gateway.listen`. */
export const listener = z.discriminatedUnion(
  'protocol',
  [
    https,
    z.strictObject({ ...carried, protocol: z.literal('tcp'), service }),
    z.strictObject({
      ...carried,
      protocol: z.literal('tls-passthrough'),
      /** TLS is not ended here: the name that the client asks for decides. */
      routes: z
        .array(
          z.strictObject({
            serverNames: z
              .array(serverName, { error: 'expected a list of host names' })
              .min(1, { error: 'expected at least one host name' }),
            service,
          }),
          { error: 'expected a list of { serverNames, service }' },
        )
        .min(1, { error: 'expected at least one route' }),
    }),
  ],
  { error: 'expected protocol https, tcp or tls-passthrough' },
);

/** Listeners by names and addresses of their own. */
export const listeners = z
  .array(listener, { error: 'expected a list of listeners' })
  .superRefine((all, context) => {
    const names = new Set<string>();
    for (const [at, one] of all.entries()) {
      const { name: own } = one;
      if (one.protocol === 'https' && one.certificates.length === 0 && one.acme === undefined) {
        context.addIssue({
          code: 'custom',
          path: [at, 'certificates'],
          message: 'expected at least one certificate, or acme',
        });
      }
      if (one.protocol === 'https' && one.clientAuth !== 'none' && one.clientCaFile === undefined) {
        context.addIssue({
          code: 'custom',
          path: [at, 'clientAuth'],
          message: 'expected a clientCaFile beside it: whose certificates are to be trusted?',
        });
      }
      if (names.has(own)) {
        context.addIssue({
          code: 'custom',
          path: [at, 'name'],
          message: `expected another name: a listener before it is called ${own}`,
        });
      }
      names.add(own);
    }
  });

type ListenerConfig = z.output<typeof listener>;
export type HttpsListenerConfig = Extract<ListenerConfig, { protocol: 'https' }>;
export type CarriedListenerConfig = Exclude<ListenerConfig, { protocol: 'https' }>;
