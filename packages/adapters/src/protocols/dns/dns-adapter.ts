import type {
  CatalogueReader,
  Clock,
  Logger,
  Metrics,
  Random,
  SocketAddress,
  SocketProtocolAdapter,
} from '@portolan/core';
import { measureDns } from './dns-metrics.ts';
import { DEFAULT_DNS_OPTIONS, type DnsOptions } from './dns-options.ts';
import { createDnsResponder } from './dns-responder.ts';
import { listenTcp } from './tcp-listener.ts';
import { type DnsListener, type DnsListenerDeps, listenUdp } from './udp-listener.ts';

export interface DnsDeps {
  readonly catalogue: CatalogueReader;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** A port that is free for TCP may be taken for UDP. */
const MAX_TRIES = 10;

/** DNS over UDP and TCP at one address: an authority for its zones, and no resolver of anything else. */
export function createDnsAdapter(given: Partial<DnsOptions>, deps: DnsDeps): SocketProtocolAdapter {
  const options = { ...DEFAULT_DNS_OPTIONS, ...given };
  const metrics = measureDns(deps.metrics);
  return {
    transport: 'socket',
    name: 'dns',
    listen: options.listen,
    async start(signal) {
      const responder = createDnsResponder(options, { ...deps, metrics });
      try {
        const listeners = await listenBoth(options.listen, {
          ...deps,
          options,
          responder,
          metrics,
        });
        const closed = whenAborted(signal).then(async () => {
          responder.close();
          await Promise.all(listeners.map((listener) => listener.close()));
        });
        return { address: listeners[0].address, closed };
      } catch (error) {
        responder.close();
        throw error;
      }
    },
  };
}

async function listenBoth(
  wanted: SocketAddress,
  deps: DnsListenerDeps,
): Promise<readonly [DnsListener, DnsListener]> {
  for (let tries = 1; ; tries++) {
    const tcp = await listenTcp(wanted, deps);
    try {
      // At what TCP got, not at what was wanted: a host name may have addresses of both families.
      return [await listenUdp(tcp.address, deps), tcp];
    } catch (error) {
      await tcp.close();
      const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (wanted.port !== 0 || !isTaken || tries === MAX_TRIES) throw error;
    }
  }
}

function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
