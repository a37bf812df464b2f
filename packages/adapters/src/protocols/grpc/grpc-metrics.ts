import type { Counter, ErrorCode, Metrics } from '@portolan/core';

export interface GrpcMetrics {
  answered(method: string, code: ErrorCode | 'OK' | 'CANCELLED'): void;
  /** Streams that began (1) or ended (-1). */
  streams(change: 1 | -1): void;
}

export function measureGrpc(metrics: Metrics): GrpcMetrics {
  const calls = metrics.counter({
    name: 'portolan_grpc_calls_total',
    help: 'Calls of the gRPC API that ended.',
    labelNames: ['method', 'code'],
  });
  const open = metrics.gauge({
    name: 'portolan_grpc_streams',
    help: 'Open heartbeat streams, watches and lists of the gRPC API.',
  });
  const children = new Map<string, Counter>();
  let streams = 0;
  metrics.onCollect(() => open.labels().set(streams));
  return {
    answered(method, code) {
      const key = `${method} ${code}`;
      let child = children.get(key);
      if (!child) {
        child = calls.labels(method, code);
        children.set(key, child);
      }
      child.inc();
    },
    streams: (change) => {
      streams += change;
    },
  };
}
