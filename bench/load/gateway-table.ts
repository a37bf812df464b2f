/**
 * What a large or a rich table costs: two servers beside each other on CPU 0, the load taking turns between them; then how
 * soon a changed route is seen, what the gateway adds to a request, and what an idle one holds in memory.
 *
 *   node bench/load/gateway-table.ts [--rounds 5] [--seconds 3] [--routes 1000] [--endpoints 10000] [--changes 200]
 */
import { send } from './support/control-calls.ts';
import { requestBytes, runLoad } from './support/http-load.ts';
import { pidOf, requireTools, type Sample, startProxyRig } from './support/proxy-rig.ts';
import { option, progress, type Row, report } from './support/report.ts';
import { type ServerUnderTest, startServer } from './support/server-process.ts';

requireTools(['nginx', 'wrk', 'taskset']);
const rounds = option('rounds', 5);
const seconds = option('seconds', 3);
const routes = option('routes', 1_000);
const endpoints = option('endpoints', 10_000);
const changes = option('changes', 200);
const rig = await startProxyRig();
const rows: Row[] = [];
const servers: ServerUnderTest[] = [];

async function aServer(): Promise<ServerUnderTest> {
  const server = await startServer();
  servers.push(server);
  for (const [at, port] of rig.upstreamPorts.entries()) {
    const body = {
      service: 'bench',
      address: '127.0.0.1',
      port,
      lease: 'none',
      tags: [`version:v${at + 1}`],
    };
    await send(`${server.control}/register`, 'POST', body);
  }
  await send(`${server.control}/api/v1/routes/bench`, 'PUT', { to: [{ service: 'bench' }] });
  return server;
}

async function fill(server: ServerUnderTest, services: number, perService: number): Promise<void> {
  const instances = Array.from({ length: services * perService }, (_, at) => ({
    service: `s${at % services}`,
    address: `10.${(at >> 16) & 255}.${(at >> 8) & 255}.${at & 255}`,
    port: 8080,
    lease: 'none',
  }));
  for (let at = 0; at < instances.length; at += 500) {
    await send(`${server.control}/api/v1/instances/batch`, 'POST', {
      instances: instances.slice(at, at + 500),
    });
  }
}

async function compareServers(
  what: string,
  other: ServerUnderTest,
  plain: ServerUnderTest,
  share: number,
): Promise<void> {
  const targets = {
    plain: { origin: plain.gateway, ...pidOf(plain.child) },
    other: { origin: other.gateway, ...pidOf(other.child) },
  };
  const all = await rig.compare(targets, { path: '/', connections: 32, rounds, seconds });
  const one = all.plain as Sample;
  const many = all.other as Sample;
  const ratio = many.perSecond / one.perSecond;
  rows.push({
    work: what,
    figure: `${ratio.toFixed(2)} × plain (${Math.round(many.perSecond).toLocaleString('en')}/s, ${Math.round(one.perSecond).toLocaleString('en')}/s); by CPU time ${(one.cpuMicros / many.cpuMicros).toFixed(2)} × (${many.cpuMicros.toFixed(1)} µs, ${one.cpuMicros.toFixed(1)} µs)`,
    target: `≥ ${share} × plain`,
    met: ratio >= share && many.errors === 0,
  });
}

try {
  const plain = await aServer();
  progress('memory of an idle gateway with 1,000 services');
  const idle = await aServer();
  await fill(idle, 1_000, 1);
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  const resident = (await idle.residentBytes()) / 2 ** 20;
  rows.push({
    work: 'memory, idle, with 1,000 services (registry and gateway in one process)',
    figure: `${resident.toFixed(0)} MiB resident`,
    target: '< 150 MiB',
    met: resident < 150,
  });
  await idle.dispose();

  progress('a rich route');
  const rich = await aServer();
  for (let at = 0; at < 20; at++) {
    await send(`${rich.control}/api/v1/routes/table-${at}`, 'PUT', {
      hosts: [`host-${at}.example.com`],
      match: { path: { prefix: `/area-${at}` }, headers: { 'x-kind': 'a' } },
      to: [{ service: 'bench' }],
    });
  }
  await send(`${rich.control}/api/v1/routes/elsewhere`, 'PUT', {
    match: { headers: { 'x-user': 'somebody' } },
    to: [{ service: 'bench' }],
  });
  await send(`${rich.control}/api/v1/routes/bench`, 'PUT', {
    to: [
      { service: 'bench', labels: { version: 'v1' }, weight: 90 },
      { service: 'bench', labels: { version: 'v2' }, weight: 10 },
    ],
    retries: { attempts: 2, perTryTimeout: '5s' },
  });
  await compareServers(
    'retries, budget, ejection, a 20-route table, a header match and a weighted canary on',
    rich,
    plain,
    0.9,
  );
  await rich.dispose();

  progress(`${routes} routes and ${endpoints} endpoints`);
  const large = await aServer();
  await fill(large, routes, Math.ceil(endpoints / routes));
  for (let at = 0; at < routes; at++) {
    await send(`${large.control}/api/v1/routes/r${at}`, 'PUT', {
      hosts: [`h${at}.example.com`],
      match: { path: { prefix: `/p${at}` } },
      to: [{ service: `s${at}` }],
    });
  }
  await compareServers(
    `${routes} routes × ${endpoints} endpoints in the table`,
    large,
    plain,
    0.95,
  );

  progress('changes of a route');
  const seenMs: number[] = [];
  for (let at = 0; at < changes; at++) {
    const answer = { status: 200, body: `turn ${at}` };
    const startedMs = performance.now();
    await send(`${large.control}/api/v1/routes/turn`, 'PUT', { match: { path: '/turn' }, answer });
    for (;;) {
      const text = await (await fetch(`${large.gateway}/turn`)).text();
      if (text === answer.body) break;
    }
    seenMs.push(performance.now() - startedMs);
  }
  seenMs.sort((a, b) => a - b);
  const p99 = seenMs[Math.floor(seenMs.length * 0.99)] ?? Number.NaN;
  rows.push({
    work: `a route change until a request sees it, durable write included, with ${routes} routes`,
    figure: `p50 ${(seenMs[Math.floor(seenMs.length / 2)] ?? 0).toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`,
    target: '< 50 ms',
    met: p99 < 50,
  });
  await large.dispose();

  progress('what the gateway adds at 1,000 requests a second');
  const steady = async (origin: string): Promise<{ p50: number; p99: number; errors: number }> => {
    const bytes = requestBytes('GET', '/', new URL(origin).host);
    const load = await runLoad({
      origin,
      connections: 16,
      rate: 1_000,
      durationMs: 8_000,
      next: () => bytes,
    });
    return { p50: load.p50Ms, p99: load.p99Ms, errors: load.errors };
  };
  const direct = await steady(`http://127.0.0.1:${rig.upstreamPorts[0]}`);
  const through = await steady(plain.gateway);
  rows.push({
    work: 'added latency at 1,000 requests a second, evenly spaced',
    figure: `p50 +${(through.p50 - direct.p50).toFixed(2)} ms, p99 +${(through.p99 - direct.p99).toFixed(2)} ms (direct p99 ${direct.p99.toFixed(2)} ms)`,
    target: 'p99 < 1 ms over direct',
    met: through.p99 - direct.p99 < 1 && through.errors === 0,
  });
} finally {
  for (const server of servers) await server.dispose();
  await rig.dispose();
}
progress('');
await report('gateway-table', rows);
