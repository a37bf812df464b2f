import type { Counter, Histogram, MetricOptions } from '@portolan/core';
import type { MetricObjectWithValues, MetricValue, Counter as PromCounter } from 'prom-client';

/**
 * A counter's child that adds up by itself and tells prom-client when it is asked: there each increment looks its labels up, which a
 * gateway's every request would pay.
 */
export class CountedChild implements Counter {
  readonly #child: PromCounter.Internal;
  #untold = 0;

  constructor(child: PromCounter.Internal) {
    this.#child = child;
  }

  inc(by = 1): void {
    if (!(by >= 0 && by < Number.POSITIVE_INFINITY)) {
      throw new RangeError(`A counter does not count ${by}`);
    }
    this.#untold += by;
  }

  tell(): void {
    if (this.#untold === 0) return;
    this.#child.inc(this.#untold);
    this.#untold = 0;
  }
}

class BucketedChild implements Histogram {
  readonly labels: Readonly<Record<string, string>>;
  readonly #bounds: readonly number[];
  /** One for each bound, and one for what is above all. */
  readonly counts: number[];
  sum = 0;

  constructor(labels: Readonly<Record<string, string>>, bounds: readonly number[]) {
    this.labels = labels;
    this.#bounds = bounds;
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(value: number): void {
    if (!Number.isFinite(value)) throw new RangeError(`A histogram does not observe ${value}`);
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] as number)) at++;
    (this.counts[at] as number)++;
    this.sum += value;
  }
}

/** A histogram in the form in which prom-client's registry asks its metrics; it counts without looking labels up. */
export class CountedHistogram {
  readonly name: string;
  readonly type = 'histogram';
  readonly #help: string;
  readonly #labelNames: readonly string[];
  readonly #bounds: readonly number[];
  readonly #children: BucketedChild[] = [];

  constructor({
    name,
    help,
    labelNames = [],
    buckets,
  }: MetricOptions & { readonly buckets: readonly number[] }) {
    this.name = name;
    this.#help = help;
    this.#labelNames = labelNames;
    this.#bounds = buckets;
  }

  /** To be called once for each set of values. */
  child(values: readonly string[]): Histogram {
    const labels = Object.fromEntries(
      this.#labelNames.map((label, at) => [label, values[at] ?? '']),
    );
    const child = new BucketedChild(labels, this.#bounds);
    this.#children.push(child);
    return child;
  }

  async get(): Promise<MetricObjectWithValues<MetricValue<string>>> {
    const values = this.#children.flatMap((child) => this.#valuesOf(child));
    const told = { name: this.name, help: this.#help, type: this.type, values, aggregator: 'sum' };
    return told as unknown as MetricObjectWithValues<MetricValue<string>>;
  }

  #valuesOf({ labels, counts, sum }: BucketedChild): MetricValue<string>[] {
    const { name } = this;
    let count = 0;
    const buckets = counts.map((one, at) => {
      count += one;
      const le = this.#bounds[at] ?? '+Inf';
      return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: count };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels: { ...labels }, value: sum },
      { metricName: `${name}_count`, labels: { ...labels }, value: count },
    ] as MetricValue<string>[];
  }
}
