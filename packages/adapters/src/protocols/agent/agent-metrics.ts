import { type Counter, FRAME, type FrameType, frameName, type Metrics } from '@portolan/core';

/** What the agent protocol counts. */
export interface AgentMetrics {
  opened(): void;
  closed(): void;
  /** By how many the slots in use changed. */
  slots(by: number): void;
  frame(type: FrameType): void;
  fault(code: string): void;
}

export function createAgentMetrics(metrics: Metrics): AgentMetrics {
  let connections = 0;
  let slots = 0;
  const gauge = (name: string, help: string) => metrics.gauge({ name, help }).labels();
  const openGauge = gauge(
    'portolan_agent_connections',
    'Connections that speak the agent protocol.',
  );
  const slotGauge = gauge(
    'portolan_agent_slots',
    'Instances that connections of agents speak for.',
  );
  metrics.onCollect(() => {
    openGauge.set(connections);
    slotGauge.set(slots);
  });
  const frames = metrics.counter({
    name: 'portolan_agent_frames_total',
    help: 'Frames from agents.',
    labelNames: ['type'],
  });
  const byType = new Map<FrameType, Counter>(
    Object.values(FRAME)
      .filter((type) => type < FRAME.HELLO)
      .map((type) => [type, frames.labels(frameName(type).toLowerCase())]),
  );
  const faults = metrics.counter({
    name: 'portolan_agent_faults_total',
    help: 'Connections of agents ended because of what came over them.',
    labelNames: ['code'],
  });
  return {
    opened() {
      connections += 1;
    },
    closed() {
      connections -= 1;
    },
    slots(by) {
      slots += by;
    },
    frame: (type) => byType.get(type)?.inc(),
    fault: (code) => faults.labels(code).inc(),
  };
}
