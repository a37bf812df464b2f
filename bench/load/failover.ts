/**
 * An instance killed under a steady load, and a hundred thousand leases that run out together.
 *
 *   node bench/load/failover.ts [--rate 2000] [--leases 100000] [--watchers 200]
 *
 * While they run out, each of the `--watchers` follows a service of its own, and one more the whole catalogue.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type EventStream, openEventStream } from './support/event-streams.ts';
import { requestBytes, runLoad } from './support/http-load.ts';
import { figures, option, progress, type Row, report } from './support/report.ts';
import { startServer } from './support/server-process.ts';

const rate = option('rate', 2_000);
const leases = option('leases', 100_000);
const watchers = option('watchers', 200);
const UPSTREAM = `
const name = process.argv[1];
require('node:http').createServer((_, s) => { s.setHeader('content-length', name.length); s.end(name); })
  .listen(0, '127.0.0.1', function () { console.log(this.address().port); }).keepAliveTimeout = 60000;`;

const rows: Row[] = [];
const server = await startServer();
const streams: EventStream[] = [];
const host = new URL(server.control).host;
const upstreams = ['a', 'b', 'c'].map((name) =>
  spawn(process.execPath, ['-e', UPSTREAM, name], { stdio: ['ignore', 'pipe', 'inherit'] }),
);
try {
  for (const [at, child] of upstreams.entries()) {
    const [text] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
    const body = {
      service: 'kill',
      id: `kill-${at}`,
      address: '127.0.0.1',
      port: Number(text),
      lease: 'none',
    };
    const answer = await fetch(`${server.control}/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(await answer.text());
  }
  progress(`kill -9 at ${rate} requests a second`);
  const request = requestBytes('GET', '/kill/', new URL(server.gateway).host);
  const startedMs = performance.now();
  let killedMs = 0;
  let lastMs = 0;
  setTimeout(() => {
    killedMs = performance.now();
    upstreams[1]?.kill('SIGKILL');
  }, 3_000);
  const load = await runLoad({
    origin: server.gateway,
    connections: 64,
    rate,
    durationMs: 6_000,
    next: () => request,
    onAnswer: (body) => {
      if (body.toString() === 'b') lastMs = performance.now();
    },
  });
  rows.push({
    work: `instance killed (\`SIGKILL\`) at ${rate.toLocaleString('en')} req/s`,
    figure: `${load.requests.toLocaleString('en')} requests in ${((performance.now() - startedMs) / 1000).toFixed(1)} s, ${load.errors} failed; last answer from it ${Math.max(0, lastMs - killedMs).toFixed(0)} ms after the kill; p99 ${load.p99Ms.toFixed(1)} ms`,
    target: '0 failed, out of rotation < 100 ms after the first failure',
    met: load.errors === 0 && lastMs - killedMs < 100,
  });

  progress(`registering ${leases} leases that run out together`);
  const BATCH = 500;
  const ttl = 30;
  const filled = await runLoad({
    origin: server.control,
    connections: 4,
    next: (batch) => {
      const from = batch * BATCH;
      if (from >= leases) return undefined;
      const instances = Array.from({ length: Math.min(BATCH, leases - from) }, (_, k) => ({
        // Three a service: too few for mass-loss protection, so that all of them really expire.
        service: `storm-${Math.floor((from + k) / 3)}`,
        id: `storm-${from + k}`,
        address: `10.${((from + k) >> 16) & 255}.${((from + k) >> 8) & 255}.${(from + k) & 255}`,
        port: 80,
        ttl,
      }));
      return requestBytes('POST', '/api/v1/instances/batch', host, { instances });
    },
  });
  if (filled.errors > 0) throw new Error(filled.firstError);
  const ids = Array.from({ length: leases }, (_, at) => `storm-${at}`);
  await runLoad({
    origin: server.control,
    connections: 4,
    next: (batch) =>
      batch * 10_000 >= leases
        ? undefined
        : requestBytes('POST', '/api/v1/instances/heartbeat', host, {
            ids: ids.slice(batch * 10_000, (batch + 1) * 10_000),
          }),
  });
  const heardMs = performance.now();
  const services = Math.ceil(leases / 3);
  let watched = 0;
  let mirrored = 0;
  let firstMs = Number.NaN;
  let lastSeenMs = Number.NaN;
  for (let at = 0; at < watchers; at++) {
    const service = `storm-${Math.floor((at * services) / watchers)}`;
    const url = `${server.control}/api/v1/services/${service}/instances?watch=true`;
    streams.push(await openEventStream(url, (type) => (watched += type === 'view' ? 1 : 0)));
  }
  let isReady = (): void => undefined;
  const ready = new Promise<void>((resolve) => {
    isReady = resolve;
  });
  const mirror = await openEventStream(`${server.control}/api/v1/watch`, (type, data) => {
    if (type === 'ready') isReady();
    else if (type === 'view' && data.includes('"storm-')) {
      mirrored += 1;
      lastSeenMs = performance.now();
      if (mirrored === 1) firstMs = lastSeenMs;
    }
  });
  streams.push(mirror);
  await ready;
  const waitMs = heardMs + (ttl - 2) * 1000 - performance.now();
  await new Promise((resolve) => setTimeout(resolve, waitMs));
  watched = 0;
  mirrored = 0;
  progress('writing while they expire');
  const writes = await runLoad({
    origin: server.control,
    connections: 8,
    rate: 200,
    durationMs: 20_000,
    next: (n) =>
      requestBytes('POST', '/register', host, {
        // Spread: the views of one growing service would be most of what its watchers cost.
        service: `during-${n % 100}`,
        id: `d-${n}`,
        address: `172.16.${(n >> 8) & 255}.${n & 255}`,
        port: 80,
        lease: 'none',
      }),
  });
  const left = (await (await fetch(`${server.control}/api/v1/status`)).text()).match(
    /"instances":\s*(\d+)/,
  )?.[1];
  rows.push({
    work: `${leases.toLocaleString('en')} leases expiring together, 200 writes/s meanwhile`,
    figure: `${figures(writes)}; ${left} instances left of which ${writes.requests} were written meanwhile`,
    target: 'writes keep p99 < 50 ms',
    met: writes.errors === 0 && writes.p99Ms < 50,
  });
  const thousands = (count: number): string => count.toLocaleString('en');
  rows.push({
    work: `who watches meanwhile: ${watchers} a service of 3 instances each, one the whole catalogue`,
    figure: `${watched} views to the ${watchers}; ${thousands(mirrored)} views of ${thousands(services)} services to the one, the last ${((lastSeenMs - firstMs) / 1000).toFixed(1)} s after the first`,
    target: `coalesced: fewer than the ${thousands(leases)} removals`,
    met: watched <= 2 * watchers && mirrored < leases / 2,
  });
} finally {
  for (const stream of streams) stream.close();
  for (const child of upstreams) child.kill('SIGKILL');
  await server.dispose();
}
progress('');
await report('failover', rows);
