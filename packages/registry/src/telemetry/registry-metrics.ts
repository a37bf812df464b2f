import type { Metrics, TermReason } from '@portolan/core';

const SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

/** What the registry counts. Labels are bounded: outcomes and kinds, never names. */
export interface RegistryMetrics {
  registration(outcome: 'created' | 'updated' | 'unchanged' | 'refused'): void;
  heartbeats(outcome: 'renewed' | 'unknown', count?: number): void;
  removed(reason: 'expired' | 'check'): void;
  checkRun(kind: string, outcome: string, durationMs: number): void;
  checkLag(lagMs: number): void;
  protectionEntered(): void;
  termBegan(reason: TermReason): void;
  storeFailure(): void;
}

export interface RegistryGauges {
  watchers(): number;
  revision(): number;
  protectedServices(): number;
  damaged(): number;
  /** Exclusive services that have instances, and those of them without an active one. */
  exclusive(): { readonly services: number; readonly vacant: number };
  statuses(): Readonly<Record<string, number>>;
}

export function createRegistryMetrics(
  metrics: Metrics,
  gauges: () => RegistryGauges,
): RegistryMetrics {
  const counter = (name: string, help: string, ...labelNames: string[]) =>
    metrics.counter({ name, help, labelNames });
  const gauge = (name: string, help: string, ...labelNames: string[]) =>
    metrics.gauge({ name, help, labelNames });
  const registrations = counter('portolan_registrations_total', 'Registrations.', 'outcome');
  const counted = {
    created: registrations.labels('created'),
    updated: registrations.labels('updated'),
    unchanged: registrations.labels('unchanged'),
    refused: registrations.labels('refused'),
  };
  const heartbeats = counter('portolan_heartbeats_total', 'Heartbeats.', 'outcome');
  const renewed = heartbeats.labels('renewed');
  const unknown = heartbeats.labels('unknown');
  const removals = counter(
    'portolan_removals_total',
    'Instances removed by the registry.',
    'reason',
  );
  const runs = counter('portolan_checks_total', 'Probes run.', 'kind', 'outcome');
  const durations = metrics
    .histogram({
      name: 'portolan_check_duration_seconds',
      help: 'Time a probe took.',
      buckets: SECONDS,
    })
    .labels();
  const lag = metrics
    .histogram({
      name: 'portolan_check_lag_seconds',
      help: 'How late probes start.',
      buckets: SECONDS,
    })
    .labels();
  const entered = counter('portolan_protection_entered_total', 'Services protected.').labels();
  const terms = counter(
    'portolan_exclusive_terms_total',
    'Terms begun in exclusive services: hand-overs, and losses that nobody could take over.',
    'reason',
  );
  const failures = counter(
    'portolan_health_write_failures_total',
    'Health commits failed.',
  ).labels();
  const watchers = gauge('portolan_watchers', 'Subscribers of the catalogue.').labels();
  const revision = gauge('portolan_revision', 'Revision of the catalogue.').labels();
  const protectedNow = gauge('portolan_protected_services', 'Services protected now.').labels();
  const exclusiveNow = gauge(
    'portolan_exclusive_services',
    'Exclusive services that have instances.',
  ).labels();
  const vacantNow = gauge(
    'portolan_exclusive_vacant_services',
    'Exclusive services that have instances, but no active one.',
  ).labels();
  const damaged = gauge('portolan_damaged_values', 'Stored values that cannot be read.').labels();
  const instances = gauge('portolan_instances', 'Instances by status.', 'status');
  metrics.onCollect(() => {
    const now = gauges();
    watchers.set(now.watchers());
    revision.set(now.revision());
    protectedNow.set(now.protectedServices());
    const exclusive = now.exclusive();
    exclusiveNow.set(exclusive.services);
    vacantNow.set(exclusive.vacant);
    damaged.set(now.damaged());
    const statuses = now.statuses();
    for (const status of Object.keys(statuses)) instances.labels(status).set(statuses[status] ?? 0);
  });
  return {
    registration: (outcome) => counted[outcome].inc(),
    heartbeats: (outcome, count = 1) => (outcome === 'renewed' ? renewed : unknown).inc(count),
    removed: (reason) => removals.labels(reason).inc(),
    checkRun: (kind, outcome, durationMs) => {
      runs.labels(kind, outcome).inc();
      durations.observe(durationMs / 1_000);
    },
    checkLag: (lagMs) => lag.observe(Math.max(0, lagMs) / 1_000),
    protectionEntered: () => entered.inc(),
    termBegan: (reason) => terms.labels(reason).inc(),
    storeFailure: () => failures.inc(),
  };
}
