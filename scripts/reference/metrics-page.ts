import { code, page, table } from './markdown.ts';
import type { MetricRow, RunningParts } from './running-parts.ts';

/** Every metric with kind, labels and meaning. */
export function metricsPage({ metrics, firstScrape }: RunningParts): string {
  const own = [...firstScrape.matchAll(/^# HELP (portolan_\w+) (.*)\n# TYPE \1 (\w+)$/gm)].map(
    ([, name = '', help = '', kind = '']): MetricRow => ({ name, help, kind, labels: [] }),
  );
  const of = (rows: readonly MetricRow[]): string =>
    table(
      ['metric', 'kind', 'labels', 'meaning'],
      rows.map(({ name, kind, labels, help }) => [
        code(name),
        kind,
        labels.map(code).join(', '),
        help,
      ]),
    );
  return page('Metrics', [
    '`GET /metrics` on the control port answers in the Prometheus text format. A histogram is exposed as `_bucket`, `_sum` and `_count`. A metric has at most `metrics.maxChildren` label sets; the rest is counted as `other`. A role exposes the metrics of the parts that it runs.',
    of([...metrics, ...own]),
    'Besides, `process_*` and `nodejs_*` tell of memory, CPU, open files, garbage collection and the lag of the event loop; which of them exist depends on the system and the version of Node.',
  ]);
}
