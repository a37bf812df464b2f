import type { AccessRecord } from '@portolan/gateway';
import { StartError } from '../lifecycle/start-error.ts';
import { openLineFile } from '../telemetry/line-file.ts';
import type { ServerContext } from './server-context.ts';

/** Opens the access log; undefined where none is configured. Rejects with `StartError` for a file that cannot be written. */
export async function startAccessLog(
  context: ServerContext,
): Promise<((record: AccessRecord) => void) | undefined> {
  const { accessLog } = context.config.gateway;
  if (accessLog === undefined) return undefined;
  const { clock, random, logger, metrics, stack } = context;
  const { format, sampling, headers } = accessLog;
  const path = accessLog.path === 'stdout' ? undefined : accessLog.path;
  const lines = metrics.counter({
    name: 'portolan_access_log_lines_total',
    help: 'Lines of the access log, by whether they were written or dropped.',
    labelNames: ['outcome'],
  });
  const file = await openLineFile(
    { path },
    {
      clock,
      onError: (err) =>
        logger.error({ err, path }, 'the access log cannot be written: lines are lost'),
      onLines: (outcome, count) => lines.labels(outcome).inc(count),
    },
  ).catch((cause: NodeJS.ErrnoException) => {
    const reason = `${cause.code ?? cause.message}`;
    throw new StartError(`gateway.accessLog.path: ${path} cannot be written (${reason})`, {
      cause,
    });
  });
  stack.push('access log', () => file.close());
  context.onReload.push(() => {
    file.reopen().catch((err: unknown) => {
      logger.error({ err, path }, 'the access log cannot be opened anew; the file before goes on');
    });
  });
  const { accessRecordFormatter } = await import('@portolan/gateway');
  const toLine = accessRecordFormatter({ format, headers });
  return (record) => {
    const failed = record.status === 0 || record.status >= 500 || record.errorCode !== undefined;
    if (!failed && sampling < 1 && random() >= sampling) return;
    file.write(toLine(record, clock.wallNow()));
  };
}
