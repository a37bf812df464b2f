import { type MetricSnapshot, sumMetrics } from '../telemetry/metrics.ts';

/** What processes that are gone had counted: without it the sums would fall with each of them. */
export interface EndedMetrics {
  /** The last that was told of a process which has ended. */
  add(metrics: readonly MetricSnapshot[]): void;
  sum(): readonly MetricSnapshot[];
}

/** Keeps counters and histograms; a gauge says how things are, and they are not any more. */
export function createEndedMetrics(): EndedMetrics {
  let total: readonly MetricSnapshot[] = [];
  let adding: Promise<void> = Promise.resolve();
  /** Told and not yet added up. */
  const fresh: (readonly MetricSnapshot[])[] = [];
  return {
    add(metrics) {
      const counted = metrics.filter(({ type }) => isCounted(String(type)));
      if (counted.length === 0) return;
      fresh.push(counted);
      adding = adding.then(async () => {
        const next = await sumMetrics([total, counted]).getMetricsAsJSON();
        total = next;
        fresh.splice(fresh.indexOf(counted), 1);
      });
    },
    sum: () => (fresh.length === 0 ? total : [...total, ...fresh.flat()]),
  };
}

function isCounted(type: string): boolean {
  return type === 'counter' || type === 'histogram';
}
