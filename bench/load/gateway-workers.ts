/**
 * What more gateway processes give: servers with 1, 2 and more workers beside each other, the load taking turns between them.
 * Load, upstreams and workers share the machine's cores, so that the ratio is a lower bound where there are few. With `--share 0.25`
 * each worker may use that share of a core and no more (a control group of its own, for which it takes root on Linux), so that
 * load and upstreams have enough of the rest and the ratio says what a second worker gives.
 *
 *   node bench/load/gateway-workers.ts [--rounds 3] [--seconds 4] [--connections 64] [--share 0.25]
 */
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { send } from './support/control-calls.ts';
import { requireTools, startProxyRig, type Target } from './support/proxy-rig.ts';
import { option, type Row, report } from './support/report.ts';
import { type ServerUnderTest, startServer } from './support/server-process.ts';

requireTools(['nginx', 'wrk', 'taskset']);
const rounds = option('rounds', 3);
const seconds = option('seconds', 4);
const connections = option('connections', 64);
/** Of a core, for each worker; 0: no limit. */
const share = option('share', 0);
const PERIOD_US = 10_000;
const groups: string[] = [];
const rig = await startProxyRig();
const servers: ServerUnderTest[] = [];
const targets: Record<string, Target> = {};

try {
  for (const workers of [1, 2, 4]) {
    const server = await startServer({ args: ['--workers', String(workers)], pin: false });
    servers.push(server);
    for (const port of rig.upstreamPorts) {
      const body = { service: 'bench', address: '127.0.0.1', port, lease: 'none' };
      await send(`${server.control}/register`, 'POST', body);
    }
    await send(`${server.control}/api/v1/routes/bench`, 'PUT', { to: [{ service: 'bench' }] });
    targets[String(workers)] = { origin: server.gateway };
    if (share > 0) for (const pid of await processesOf(server)) limit(pid);
  }
  const rows: Row[] = [];
  const samples = await rig.compare(targets, { path: '/', connections, rounds, seconds });
  const alone = samples['1']?.perSecond ?? Number.NaN;
  for (const [workers, { perSecond, p99Ms, errors }] of Object.entries(samples)) {
    const ratio = `${(perSecond / alone).toFixed(2)} × one`;
    const wrong = errors > 0 ? `, ${errors} ERRORS` : '';
    rows.push({
      work: `${workers} worker${workers === '1' ? '' : 's'} on ${availableParallelism()} cores${share > 0 ? `, ${share} of a core each` : ''}, 64 B, ${connections} connections`,
      figure: `${Math.round(perSecond).toLocaleString('en')}/s, ${ratio}, p99 ${p99Ms.toFixed(1)} ms${wrong}`,
      ...(workers === '2' ? { target: '≥ 1.7 × one', met: perSecond >= 1.7 * alone } : {}),
    });
  }
  await report(share > 0 ? 'gateway-workers-shares' : 'gateway-workers', rows);
} finally {
  for (const server of servers) await server.dispose();
  await rig.dispose();
  // Workers of a server that was killed end a moment after it.
  for (let left = 50; left > 0 && groups.some(isUsed); left--) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  for (const group of groups) rmdirSync(group);
}

/** Those that serve the gateway. */
async function processesOf(server: ServerUnderTest): Promise<number[]> {
  const answer = await fetch(`${server.control}/api/v1/status`);
  const { workers } = (await answer.json()) as { workers?: readonly { readonly pid: number }[] };
  return workers?.map(({ pid }) => pid) ?? [server.child.pid as number];
}

function isUsed(group: string): boolean {
  return readFileSync(`${group}/cgroup.procs`, 'utf8') !== '';
}

function limit(pid: number): void {
  const group = `/sys/fs/cgroup/cpu/portolan-bench-${pid}`;
  mkdirSync(group);
  groups.push(group);
  writeFileSync(`${group}/cpu.cfs_period_us`, String(PERIOD_US));
  writeFileSync(`${group}/cpu.cfs_quota_us`, String(Math.round(PERIOD_US * share)));
  writeFileSync(`${group}/cgroup.procs`, String(pid));
}
