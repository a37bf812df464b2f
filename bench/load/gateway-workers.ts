/**
 * What more gateway processes give: servers with 1, 2 and more workers beside each other, the load taking turns between them.
 * Load, upstreams and workers share the machine's cores, so that the ratio is a lower bound where there are few.
 *
 *   node bench/load/gateway-workers.ts [--rounds 3] [--seconds 4] [--connections 64]
 */
import { availableParallelism } from 'node:os';
import { send } from './support/control-calls.ts';
import { requireTools, startProxyRig, type Target } from './support/proxy-rig.ts';
import { option, type Row, report } from './support/report.ts';
import { type ServerUnderTest, startServer } from './support/server-process.ts';

requireTools(['nginx', 'wrk', 'taskset']);
const rounds = option('rounds', 3);
const seconds = option('seconds', 4);
const connections = option('connections', 64);
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
  }
  const rows: Row[] = [];
  const samples = await rig.compare(targets, { path: '/', connections, rounds, seconds });
  const alone = samples['1']?.perSecond ?? Number.NaN;
  for (const [workers, { perSecond, p99Ms, errors }] of Object.entries(samples)) {
    const ratio = `${(perSecond / alone).toFixed(2)} × one`;
    const wrong = errors > 0 ? `, ${errors} ERRORS` : '';
    rows.push({
      work: `${workers} worker${workers === '1' ? '' : 's'} on ${availableParallelism()} cores, 64 B, ${connections} connections`,
      figure: `${Math.round(perSecond).toLocaleString('en')}/s, ${ratio}, p99 ${p99Ms.toFixed(1)} ms${wrong}`,
    });
  }
  await report('gateway-workers', rows);
} finally {
  for (const server of servers) await server.dispose();
  await rig.dispose();
}
