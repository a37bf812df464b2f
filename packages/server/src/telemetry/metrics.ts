import type {
  Counter,
  Gauge,
  Histogram,
  LabelledMetric,
  MetricOptions,
  Metrics,
} from '@portolan/core';
import {
  AggregatorRegistry,
  collectDefaultMetrics,
  type MetricObjectWithValues,
  type MetricValue,
  Counter as PromCounter,
  Gauge as PromGauge,
  type Metric as PromMetric,
  Registry,
} from 'prom-client';
import { CountedChild, CountedHistogram } from './counted-metrics.ts';

export interface MetricsOptions {
  /** Label children a metric may have; further label values are counted together as `other`. */
  readonly maxChildren: number;
  /** Also memory, CPU, open handles and event-loop lag of this process. */
  readonly processMetrics: boolean;
}

/** A metric with the values of its children, as prom-client gives them out; plain data. */
export type MetricSnapshot = MetricObjectWithValues<MetricValue<string>>;

export interface ServerMetrics extends Metrics {
  /** The Prometheus text format: our own, and those of other processes added up, label set by label set. */
  render(): Promise<string>;
  /** Ours only, for another process to add to its own. */
  snapshot(): Promise<readonly MetricSnapshot[]>;
  /** Asked at each `render` for the metrics of other processes, a list each. Must not reject. */
  addProcesses(ask: () => Promise<readonly (readonly MetricSnapshot[])[]>): void;
  readonly contentType: string;
  close(): void;
}

const OTHER = 'other';

/** The metrics port on prom-client. The same name twice gives the same metric. */
export function createMetrics(options: MetricsOptions): ServerMetrics {
  const registry = new Registry();
  const collectors: (() => void)[] = [];
  const others: (() => Promise<readonly (readonly MetricSnapshot[])[]>)[] = [];
  const made = new Map<string, unknown>();
  if (options.processMetrics)
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 20 });

  const dropped = new PromCounter({
    name: 'portolan_metrics_children_folded_total',
    help: 'Label sets counted as "other" because their metric had its full number of children.',
    labelNames: ['metric'],
    registers: [registry],
  });

  const once = <M>(name: string, make: () => LabelledMetric<M>): LabelledMetric<M> => {
    const known = made.get(name) as LabelledMetric<M> | undefined;
    if (known) return known;
    const metric = make();
    made.set(name, metric);
    return metric;
  };
  const bounded = <M>(name: string, child: (values: string[]) => M): LabelledMetric<M> =>
    boundedChildren(options.maxChildren, child, () => dropped.inc({ metric: name }));

  return {
    counter: (metric) =>
      once(metric.name, () => {
        const children: CountedChild[] = [];
        const collect = (): void => {
          for (const child of children) child.tell();
        };
        const prom = new PromCounter({ ...names(metric), registers: [registry], collect });
        return bounded<Counter>(metric.name, (values) => {
          const child = new CountedChild(values.length === 0 ? prom : prom.labels(...values));
          children.push(child);
          return child;
        });
      }),
    gauge: (metric) =>
      once(metric.name, () => {
        const prom = new PromGauge({ ...names(metric), registers: [registry] });
        return bounded<Gauge>(metric.name, (values) =>
          values.length === 0 ? prom : prom.labels(...values),
        );
      }),
    histogram: (metric) =>
      once(metric.name, () => {
        const counted = new CountedHistogram(metric);
        registry.registerMetric(counted as unknown as PromMetric);
        return bounded<Histogram>(metric.name, (values) => counted.child(values));
      }),
    onCollect: (callback) => void collectors.push(callback),
    async render() {
      for (const collect of collectors) collect();
      const lists = (await Promise.all(others.map((ask) => ask()))).flat();
      if (lists.length === 0) return await registry.metrics();
      return await renderSum(registry, lists);
    },
    async snapshot() {
      for (const collect of collectors) collect();
      return await registry.getMetricsAsJSON();
    },
    addProcesses: (ask) => void others.push(ask),
    contentType: registry.contentType,
    close() {
      collectors.length = 0;
      others.length = 0;
      registry.clear();
    },
  };
}

/** Metrics of one process only stay as they are; those that several have are added up. */
async function renderSum(
  registry: Registry,
  lists: readonly (readonly MetricSnapshot[])[],
): Promise<string> {
  const elsewhere = new Set(lists.flatMap((list) => list.map(({ name }) => name)));
  const own = await registry.getMetricsAsJSON();
  const shared = own.filter(({ name }) => elsewhere.has(name));
  const texts = own
    .filter(({ name }) => !elsewhere.has(name))
    .map(({ name }) => registry.getSingleMetricAsString(name));
  const sum = sumMetrics([shared, ...lists]);
  return `${[...(await Promise.all(texts)), (await sum.metrics()).trimEnd()].join('\n\n')}\n`;
}

/** What all of them have counted together. */
export function sumMetrics(lists: readonly (readonly MetricSnapshot[])[]): Registry {
  return AggregatorRegistry.aggregate(lists.map((list) => [...list]));
}

function names(metric: MetricOptions) {
  return { name: metric.name, help: metric.help, labelNames: [...(metric.labelNames ?? [])] };
}

/** Children by their label values, at most `limit`; all further ones share the child whose every value is `other`. */
function boundedChildren<M>(
  limit: number,
  make: (values: string[]) => M,
  onFold: () => void,
): LabelledMetric<M> {
  const children = new Map<string, M>();
  let overflow: M | undefined;
  return {
    labels(...values) {
      const key = values.length === 1 ? (values[0] as string) : values.join('\u0000');
      let child = children.get(key);
      if (child !== undefined) return child;
      if (children.size >= limit) {
        onFold();
        overflow ??= make(values.map(() => OTHER));
        return overflow;
      }
      child = make(values);
      children.set(key, child);
      return child;
    },
  };
}
