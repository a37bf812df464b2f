import { isIP } from 'node:net';
import type { AddressPolicy, Clock, Logger, Random, TimerHandle } from '@portolan/core';
import { backoffMs } from '@portolan/core';
import type { DialledAddresses } from './dialled-addresses.ts';
import type { Upstream } from './upstream.ts';
import type { UpstreamEndpoint } from './upstream-endpoint.ts';

/** Resolves a host name to IP literals, best first. */
export type Resolve = (hostName: string) => Promise<readonly string[]>;

export interface EndpointResolverOptions {
  readonly refreshMs: number;
  readonly retryMaxMs: number;
}

export const DEFAULT_RESOLVER_OPTIONS: EndpointResolverOptions = {
  refreshMs: 30_000,
  retryMaxMs: 5_000,
};

/** Gives endpoints the address to dial, and keeps that of names fresh. */
export interface EndpointResolver {
  add(upstream: Upstream, endpoint: UpstreamEndpoint): void;
  /** Ends the endpoint's look-ups and gives its address up. */
  remove(endpoint: UpstreamEndpoint): void;
  /** Settles when every name added so far was answered for the first time, well or not. */
  settled(): Promise<void>;
  close(): void;
}

/** Makes the resolver. An address that the policy forbids is as good as none, and is said once. */
export function createEndpointResolver(
  options: EndpointResolverOptions,
  deps: {
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
    readonly addressPolicy: AddressPolicy;
    readonly resolve: Resolve;
    readonly addresses: DialledAddresses;
  },
): EndpointResolver {
  const timers = new Map<UpstreamEndpoint, TimerHandle | undefined>();
  const first = new Set<Promise<void>>();

  function allowed(endpoint: UpstreamEndpoint, ip: string): boolean {
    const verdict = deps.addressPolicy.check(ip, endpoint.port);
    if (verdict.allowed) return true;
    deps.logger.warn(
      { endpoint: endpoint.key, ip, reason: verdict.reason },
      'endpoint address may not be dialled',
    );
    return false;
  }

  async function refresh(
    upstream: Upstream,
    endpoint: UpstreamEndpoint,
    failures: number,
  ): Promise<void> {
    let found: readonly string[] = [];
    let answered = true;
    try {
      found = await deps.resolve(endpoint.address);
    } catch (error) {
      answered = false;
      deps.logger.warn({ endpoint: endpoint.key, err: error }, 'endpoint name not resolved');
    }
    if (!timers.has(endpoint)) return;
    // A resolver that fails takes nothing away: the last address is served on.
    if (answered) {
      // Asked again each time: the policy may have changed, and so may what the name says.
      const present = endpoint.ip !== undefined && found.includes(endpoint.ip) ? endpoint.ip : '';
      const next =
        present !== '' && allowed(endpoint, present)
          ? present
          : found.find((ip) => allowed(endpoint, ip));
      if (next !== endpoint.ip) {
        deps.addresses.assign(endpoint, next);
        upstream.refresh();
      }
    }
    const ok = answered && endpoint.ip !== undefined;
    const retry = { baseMs: 200, maxMs: options.retryMaxMs };
    const delayMs = ok ? options.refreshMs : 50 + backoffMs(failures, retry, deps.random);
    schedule(upstream, endpoint, delayMs, ok ? 0 : failures + 1);
  }

  function schedule(
    upstream: Upstream,
    endpoint: UpstreamEndpoint,
    delayMs: number,
    failures: number,
  ): void {
    timers.set(
      endpoint,
      deps.clock.setTimer(delayMs, () => void refresh(upstream, endpoint, failures)),
    );
  }

  return {
    add(upstream, endpoint) {
      if (isIP(endpoint.address) !== 0) {
        const ip = allowed(endpoint, endpoint.address) ? endpoint.address : undefined;
        deps.addresses.assign(endpoint, ip);
        return;
      }
      if (timers.has(endpoint)) return;
      timers.set(endpoint, undefined);
      const answer = refresh(upstream, endpoint, 0).finally(() => first.delete(answer));
      first.add(answer);
    },
    remove(endpoint) {
      timers.get(endpoint)?.cancel();
      timers.delete(endpoint);
      deps.addresses.assign(endpoint, undefined);
    },
    async settled() {
      await Promise.all(first);
    },
    close() {
      for (const timer of timers.values()) timer?.cancel();
      timers.clear();
    },
  };
}
