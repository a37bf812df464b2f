/** Structured logging, shaped as pino's: fields first, then a constant message. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(bindings: object): Logger;
}

export interface Counter {
  inc(by?: number): void;
}
export interface Gauge {
  set(value: number): void;
}
export interface Histogram {
  observe(value: number): void;
}

/**
 * Makes metrics. `labels(...)` children are to be cached by the caller; an implementation bounds the number of
 * children a metric may have and folds the rest into the value `other`.
 */
export interface Metrics {
  counter(options: MetricOptions): LabelledMetric<Counter>;
  gauge(options: MetricOptions): LabelledMetric<Gauge>;
  histogram(
    options: MetricOptions & { readonly buckets: readonly number[] },
  ): LabelledMetric<Histogram>;
  /** Called before each scrape, to set gauges that are cheaper to compute than to maintain. */
  onCollect(callback: () => void): void;
}

export interface MetricOptions {
  /** Prometheus name with unit and, for counters, `_total`. */
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly string[];
}

export interface LabelledMetric<M> {
  labels(...values: string[]): M;
}

/** Makes nothing and records nothing. */
export const NO_METRICS: Metrics = {
  counter: () => ({ labels: () => ({ inc: () => undefined }) }),
  gauge: () => ({ labels: () => ({ set: () => undefined }) }),
  histogram: () => ({ labels: () => ({ observe: () => undefined }) }),
  onCollect: () => undefined,
};

const silent = (): void => undefined;

/** Says nothing. */
export const NO_LOGGER: Logger = {
  debug: silent,
  info: silent,
  warn: silent,
  error: silent,
  child: () => NO_LOGGER,
};
