/**
 * 20,000 http checks every 10 s on one core: how late probes start, and what it costs.
 *
 *   node bench/load/checks.ts [--checks 20000] [--interval 10] [--seconds 30]
 */

import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { requestBytes, runLoad } from './support/http-load.ts';
import { option, progress, report } from './support/report.ts';
import { startServer } from './support/server-process.ts';

const checks = option('checks', 20_000);
const interval = option('interval', 10);
const seconds = option('seconds', 30);

let answered = 0;
const target = createServer((socket) => {
  socket.on('error', () => undefined);
  socket.once('data', () => {
    answered += 1;
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok');
  });
});
await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', 4_096, resolve));
const { port } = target.address() as AddressInfo;

const server = await startServer();
try {
  const host = new URL(server.control).host;
  const BATCH = 500;
  progress(`registering ${checks} instances with an http check each`);
  const registered = await runLoad({
    origin: server.control,
    connections: 2,
    next: (batch) => {
      const from = batch * BATCH;
      if (from >= checks) return undefined;
      const instances = Array.from({ length: Math.min(BATCH, checks - from) }, (_, at) => ({
        service: `checked-${(from + at) % 200}`,
        id: `checked-${from + at}`,
        address: `127.${1 + ((from + at) >> 16)}.${((from + at) >> 8) & 255}.${(from + at) & 255}`,
        port,
        lease: 'none',
        check: { http: `http://127.0.0.1:${port}/health`, interval: `${interval}s`, timeout: '5s' },
      }));
      return requestBytes('POST', '/api/v1/instances/batch', host, { instances });
    },
  });
  if (registered.errors > 0) throw new Error(registered.firstError);
  progress('letting the first round pass');
  await new Promise((resolve) => setTimeout(resolve, (interval + 3) * 1000));
  const before = await lag();
  const cpuBefore = await server.cpuSeconds();
  answered = 0;
  progress(`watching for ${seconds} s`);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const after = await lag();
  const cpu = (await server.cpuSeconds()) - cpuBefore;
  const expected = (checks / interval) * seconds;
  const late = (bound: string): number => {
    const count = after.count - before.count;
    const within = (after.buckets.get(bound) ?? 0) - (before.buckets.get(bound) ?? 0);
    return count === 0 ? Number.NaN : 1 - within / count;
  };
  await report('checks', [
    {
      work: `${checks.toLocaleString('en')} http checks every ${interval} s, one core, ${seconds} s`,
      figure: `${answered.toLocaleString('en')} probes of ${expected.toLocaleString('en')} due (${((answered / expected) * 100).toFixed(1)} %), ${(late('0.1') * 100).toFixed(2)} % over 100 ms late, ${(late('10') * 100).toFixed(2)} % over one interval, ${((cpu / seconds) * 100).toFixed(0)} % of a core`,
      target: 'no drift over one interval',
      met: Math.abs(answered / expected - 1) < 0.05 && late('10') === 0,
    },
  ]);
} finally {
  await server.dispose();
  target.close();
}

/** The histogram of how late probes start, cumulative. */
async function lag(): Promise<{ count: number; buckets: Map<string, number> }> {
  const text = await (await fetch(`${server.control}/metrics`)).text();
  const buckets = new Map<string, number>();
  for (const [, bound, n] of text.matchAll(
    /^portolan_check_lag_seconds_bucket\{.*?le="([^"]+)".*?\} (\d+)/gm,
  )) {
    buckets.set(String(bound), Number(n));
  }
  const count = Number(/^portolan_check_lag_seconds_count.* (\d+)/m.exec(text)?.[1] ?? 0);
  return { count, buckets };
}
