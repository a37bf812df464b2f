import type { Clock, Metrics } from '@portolan/core';

/** What is counted of following an engine. */
export interface DiscoveryMetrics {
  event(type: string): void;
  missed(count: number): void;
  /** The state is what the engine says, as of now. */
  synced(nowMs: number): void;
  lost(nowMs: number): void;
}

export function createDiscoveryMetrics(
  provider: string,
  metrics: Metrics,
  clock: Clock,
): DiscoveryMetrics {
  const labelNames = ['provider'];
  const events = metrics.counter({
    name: 'portolan_discovery_events_total',
    help: 'Events of a provider’s source, by what they are about.',
    labelNames: ['provider', 'type'],
  });
  const missed = metrics.counter({
    name: 'portolan_discovery_missed_events_total',
    help: 'Changes that only a periodic comparison found.',
    labelNames,
  });
  const lost = metrics.counter({
    name: 'portolan_discovery_reconnects_total',
    help: 'Times the connection to a provider’s source was lost or taken up anew.',
    labelNames,
  });
  const stale = metrics.gauge({
    name: 'portolan_discovery_stale_seconds',
    help: 'Since when a provider’s source has not been heard: 0 while it is followed; what it last said stays in force.',
    labelNames,
  });
  missed.labels(provider).inc(0);
  lost.labels(provider).inc(0);
  let lostAtMs: number | undefined = clock.now();
  metrics.onCollect(() => {
    const seconds = lostAtMs === undefined ? 0 : (clock.now() - lostAtMs) / 1_000;
    stale.labels(provider).set(seconds);
  });
  return {
    event: (type) => events.labels(provider, type).inc(),
    missed: (count) => missed.labels(provider).inc(count),
    synced() {
      lostAtMs = undefined;
    },
    lost(nowMs) {
      lostAtMs ??= nowMs;
      lost.labels(provider).inc();
    },
  };
}
