/**
 * What the access log costs: servers without one, with JSON and with the common format beside each other, the load taking turns.
 *
 *   node bench/load/access-log.ts [--rounds 5] [--seconds 3] [--connections 64]
 */
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { send } from './support/control-calls.ts';
import { pidOf, requireTools, startProxyRig, type Target } from './support/proxy-rig.ts';
import { option, type Row, report } from './support/report.ts';
import { type ServerUnderTest, startServer } from './support/server-process.ts';

requireTools(['nginx', 'wrk', 'taskset']);
const rounds = option('rounds', 5);
const seconds = option('seconds', 3);
const connections = option('connections', 64);
const rig = await startProxyRig();
const servers: ServerUnderTest[] = [];
const targets: Record<string, Target> = {};

try {
  for (const format of ['none', 'json', 'common']) {
    const config = join(tmpdir(), `portolan-bench-${process.pid}-${format}.yaml`);
    const section = `{accessLog: {format: ${format}, path: access.log}}`;
    await writeFile(config, format === 'none' ? '{}\n' : `gateway: ${section}\n`);
    const server = await startServer({ args: ['--config', config] });
    servers.push(server);
    for (const port of rig.upstreamPorts) {
      const body = { service: 'bench', address: '127.0.0.1', port, lease: 'none' };
      await send(`${server.control}/register`, 'POST', body);
    }
    await send(`${server.control}/api/v1/routes/bench`, 'PUT', { to: [{ service: 'bench' }] });
    targets[format] = { origin: server.gateway, ...pidOf(server.child) };
  }
  const samples = await rig.compare(targets, { path: '/', connections, rounds, seconds });
  const without = samples.none?.perSecond ?? Number.NaN;
  const rows: Row[] = Object.entries(samples).map(([format, { perSecond, cpuMicros, errors }]) => ({
    work: `access log ${format}, 64 B, ${connections} connections`,
    figure: `${Math.round(perSecond).toLocaleString('en')}/s, ${(perSecond / without).toFixed(2)} × none, ${cpuMicros.toFixed(1)} µs of CPU a request${errors > 0 ? `, ${errors} ERRORS` : ''}`,
  }));
  await report('access-log', rows);
} finally {
  for (const server of servers) await server.dispose();
  await rig.dispose();
}
