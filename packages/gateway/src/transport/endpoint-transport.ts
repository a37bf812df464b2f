import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { CircuitLimits, Labels, Logger, TransportPolicy } from '@portolan/core';
import {
  brokenTransport,
  createUpstreamTransport,
  PLAIN_HTTP_1,
  type UpstreamTransport,
} from '@portolan/http';

/** How one endpoint is dialled. */
export interface EndpointTransport {
  readonly requests: UpstreamTransport;
  /** Switching protocols (WebSocket) is HTTP/1.1's; the same TLS holds. */
  readonly upgrades: UpstreamTransport;
}

export const PLAIN_TRANSPORT: EndpointTransport = {
  requests: PLAIN_HTTP_1,
  upgrades: PLAIN_HTTP_1,
};

/** What of an instance bears on how it is dialled. */
export interface DialledInstance {
  /** As registered: an IP literal or a host name. */
  readonly address: string;
  readonly labels: Labels;
}

export interface EndpointTransports {
  /** The same object for as long as settings and instance say the same. */
  of(
    policy: TransportPolicy | undefined,
    instance: DialledInstance,
    limits?: CircuitLimits,
  ): EndpointTransport;
  /** Has files read again by the next `of`. */
  reload(): void;
}

interface ConnectionBounds {
  readonly maxConnections: number | undefined;
  readonly maxWaiting: number | undefined;
}

/**
 * The protocol to speak with an instance: what the service's traffic policy says; else what the instance's `protocol` label
 * says (`grpc`, `h2` and `h2c` are HTTP/2, `http` is HTTP/1.1); else HTTP/1.1. TLS comes from the policy alone: what an
 * instance says of itself must not decide whether it has to prove who it is.
 */
export function instanceProtocol(
  policy: TransportPolicy | undefined,
  labels: Labels,
): 'http/1.1' | 'h2' | 'auto' {
  if (policy?.protocol !== undefined) return policy.protocol;
  switch (labels.protocol?.toLowerCase()) {
    case 'grpc':
    case 'h2':
    case 'h2c':
      return 'h2';
    default:
      return 'http/1.1';
  }
}

/** Makes the book of transports; files are read when a policy is first met, and what cannot be read fails closed. */
export function createEndpointTransports(deps: {
  readonly logger: Logger;
  readonly readFile?: (path: string) => string;
}): EndpointTransports {
  const readFile = deps.readFile ?? ((path) => readFileSync(path, 'utf8'));
  const known = new Map<string, EndpointTransport>();

  function make(
    policy: TransportPolicy | undefined,
    protocol: 'http/1.1' | 'h2' | 'auto',
    serverName: string | undefined,
    bounds: ConnectionBounds,
  ): UpstreamTransport {
    const { tls } = policy ?? {};
    const common = {
      protocol,
      ...bounds,
      ...(policy?.proxyProtocol === undefined ? {} : { proxyProtocol: policy.proxyProtocol }),
      ...(policy?.connectTimeoutMs === undefined
        ? {}
        : { connectTimeoutMs: policy.connectTimeoutMs }),
    };
    if (tls === undefined) return createUpstreamTransport(common);
    try {
      return createUpstreamTransport({
        ...common,
        tls: {
          verify: tls.verify ?? true,
          ...(serverName === undefined ? {} : { serverName }),
          ...(tls.caFile === undefined ? {} : { caPem: readFile(tls.caFile) }),
          ...(tls.certFile === undefined ? {} : { certPem: readFile(tls.certFile) }),
          ...(tls.keyFile === undefined ? {} : { keyPem: readFile(tls.keyFile) }),
        },
      });
    } catch (error) {
      return brokenTransport(error instanceof Error ? error.message : String(error));
    }
  }

  return {
    of(policy, instance, limits) {
      const protocol = instanceProtocol(policy, instance.labels);
      const bounds: ConnectionBounds = {
        maxConnections: limits?.maxConnectionsPerEndpoint,
        maxWaiting: limits?.maxPendingPerEndpoint,
      };
      const unbound = bounds.maxConnections === undefined && bounds.maxWaiting === undefined;
      if (policy === undefined && protocol === 'http/1.1' && unbound) return PLAIN_TRANSPORT;
      const named = isIP(instance.address) === 0 ? instance.address : undefined;
      const serverName = policy?.tls === undefined ? undefined : (policy.tls.serverName ?? named);
      const key = JSON.stringify([policy, protocol, serverName, bounds]);
      const before = known.get(key);
      if (before !== undefined) return before;
      const requests = make(policy, protocol, serverName, bounds);
      const upgrades =
        protocol === 'http/1.1' ? requests : make(policy, 'http/1.1', serverName, bounds);
      if (requests.fault !== undefined) {
        deps.logger.error(
          { serverName, fault: requests.fault },
          'the transport to a service cannot be used; its requests fail until that is mended',
        );
      } else if (policy?.tls?.verify === false) {
        deps.logger.warn(
          { serverName },
          'certificates of a service are not verified: anybody on the way can pose as it',
        );
      }
      const made = { requests, upgrades };
      known.set(key, made);
      return made;
    },
    reload: () => known.clear(),
  };
}
