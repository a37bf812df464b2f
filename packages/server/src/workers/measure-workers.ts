import type { Metrics } from '@portolan/core';
import type { WorkerPool } from './worker-pool.ts';

/** Registers what only the server can say of its workers. */
export function measureWorkers(metrics: Metrics, pool: Pick<WorkerPool, 'status'>): void {
  const labelNames = ['worker'];
  const serving = metrics.gauge({
    name: 'portolan_gateway_workers_serving',
    help: 'Gateway worker processes that serve.',
  });
  const restarts = metrics.gauge({
    name: 'portolan_gateway_worker_restarts',
    help: 'Processes that ended and were replaced, by the place they had.',
    labelNames,
  });
  const memory = metrics.gauge({
    name: 'portolan_gateway_worker_resident_memory_bytes',
    help: 'Resident memory of a gateway worker.',
    labelNames,
  });
  const cpu = metrics.gauge({
    name: 'portolan_gateway_worker_cpu_seconds',
    help: 'CPU time of a gateway worker since its process started.',
    labelNames,
  });
  metrics.onCollect(() => {
    const places = pool.status();
    serving.labels().set(places.filter(({ state }) => state === 'serving').length);
    for (const place of places) {
      const worker = String(place.worker);
      restarts.labels(worker).set(place.restarts);
      memory.labels(worker).set(place.vitals?.residentBytes ?? 0);
      cpu.labels(worker).set((place.vitals?.cpuMs ?? 0) / 1_000);
    }
  });
}
