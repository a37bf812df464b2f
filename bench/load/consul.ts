/**
 * The Consul dialect over a large catalogue: heartbeats by TTL check, health of one service, one change to all of its
 * blocking queries, and the lists that span everything.
 *
 *   node bench/load/consul.ts [--instances 100000] [--watchers 1000] [--changes 30] [--seconds 10]
 */

import { Agent, get } from 'node:http';
import { LatencyHistogram } from 'portolan/bench';
import { requestBytes, runLoad } from './support/http-load.ts';
import { figures, option, progress, type Row, report } from './support/report.ts';
import { startServer } from './support/server-process.ts';

const instances = option('instances', 100_000);
const watchers = option('watchers', 1_000);
const changes = option('changes', 30);
const durationMs = option('seconds', 10) * 1_000;
const SERVICES = Math.max(1, Math.floor(instances / 1_000));
const BATCH = 500;

const server = await startServer();
const { host, hostname, port } = new URL(server.control);
const rows: Row[] = [];
const thousands = (count: number): string => count.toLocaleString('en');

/** An instance as a Consul client would have made it: a TTL check under Consul's automatic id. */
function instanceAt(at: number): object {
  const id = `i-${at}`;
  return {
    service: `s-${at % SERVICES}`,
    id,
    address: `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`,
    port: 8080,
    tags: ['http', `version:v${at % 3}`],
    metadata: { zone: 'abc'[at % 3] },
    status: 'passing',
    check: { id: `service:${id}`, ttl: '1h' },
    lease: 'none',
  };
}

async function timed(path: string): Promise<{ ms: number; bytes: number }> {
  const startedMs = performance.now();
  const answer = await fetch(`${server.control}/v1/${path}`);
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  const { byteLength } = await answer.arrayBuffer();
  return { ms: performance.now() - startedMs, bytes: byteLength };
}

/** The longest that a small request waited while `work` was done. */
async function longestStall(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let over = false;
  const probing = (async () => {
    while (!over) longest = Math.max(longest, (await timed('status/leader')).ms);
  })();
  await work();
  over = true;
  await probing;
  return longest;
}

try {
  progress(`registering ${thousands(instances)} instances`);
  const registered = await runLoad({
    origin: server.control,
    connections: 4,
    next: (batch) => {
      const from = batch * BATCH;
      if (from >= instances) return undefined;
      const size = Math.min(BATCH, instances - from);
      const body = { instances: Array.from({ length: size }, (_, at) => instanceAt(from + at)) };
      return requestBytes('POST', '/api/v1/instances/batch', host, body);
    },
  });
  if (registered.errors > 0) throw new Error(registered.firstError);

  progress('passing TTL checks');
  const passes = await runLoad({
    origin: server.control,
    connections: 64,
    durationMs,
    next: (sequence) =>
      requestBytes('PUT', `/v1/agent/check/pass/service:i-${(sequence * 7_919) % instances}`, host),
  });
  rows.push({ work: 'TTL check passed, one a request, 64 connections', figure: figures(passes) });

  progress('reading health');
  const health = await runLoad({
    origin: server.control,
    connections: 8,
    durationMs,
    next: () => requestBytes('GET', '/v1/health/service/s-0?passing', host),
  });
  const { bytes } = await timed('health/service/s-0?passing');
  rows.push({
    work: `\`/v1/health/service\` of 1,000 instances (${Math.round(bytes / 1_024)} KiB), 8 connections`,
    figure: figures(health),
  });

  progress(`opening ${watchers} blocking queries`);
  await timed('health/service/watched');
  const agent = new Agent({ keepAlive: true, maxSockets: watchers });
  const delays: number[] = [];
  let startedMs = 0;
  /** One blocking query; resolves with the index it came back with. */
  const block = (index: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const path = `/v1/health/service/watched?wait=5m&index=${index}`;
      get({ host: hostname, port, path, agent }, (answer) => {
        answer.resume();
        answer.on('end', () => {
          delays.push(performance.now() - startedMs);
          resolve(String(answer.headers['x-consul-index']));
        });
      }).on('error', reject);
    });
  const register = async (version: number): Promise<void> => {
    const body = {
      ID: 'w',
      Name: 'watched',
      Address: '10.200.0.1',
      Port: 1,
      Tags: [`v${version}`],
    };
    const answer = await fetch(`${server.control}/v1/agent/service/register`, {
      method: 'PUT',
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(await answer.text());
  };
  await register(0);
  let indexes = await Promise.all(Array.from({ length: watchers }, () => block('0')));
  delays.length = 0;
  for (let change = 1; change <= changes; change++) {
    const waiting = indexes.map(block);
    await new Promise((resolve) => setTimeout(resolve, 300));
    startedMs = performance.now();
    await register(change);
    indexes = await Promise.all(waiting);
  }
  agent.destroy();
  const latency = new LatencyHistogram();
  for (const delayMs of delays) latency.record(delayMs);
  const share = (part: number): string => latency.percentileMs(part).toFixed(1);
  rows.push({
    work: `one change → all ${thousands(watchers)} blocking queries of the service`,
    figure: `p50 ${share(0.5)} ms, p99 ${share(0.99)} ms`,
  });

  for (const path of [
    'catalog/services',
    'catalog/nodes',
    'catalog/node/10.0.0.1',
    'health/state/critical',
    'agent/services',
  ]) {
    progress(path);
    let first = { ms: 0, bytes: 0 };
    const stallMs = await longestStall(async () => {
      first = await timed(path);
    });
    const again = await timed(path);
    rows.push({
      work: `\`/v1/${path}\` of ${thousands(instances)} instances (${(first.bytes / 2 ** 20).toFixed(2)} MiB)`,
      figure: `first ${first.ms.toFixed(0)} ms, again ${again.ms.toFixed(0)} ms; others waited ${stallMs.toFixed(0)} ms at most`,
    });
  }
  await report('consul', rows);
} finally {
  await server.dispose();
}
