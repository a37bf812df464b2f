/**
 * The data-plane table: the gateway beside nginx, HAProxy and the Node proxies, each pinned to CPU 0 with upstreams
 * and load on CPU 1, in one run; for small answers also without the native transport. Needs nginx, haproxy, wrk and taskset (Debian's packages); says so when they are missing.
 *
 *   node bench/load/proxy.ts [--rounds 3] [--seconds 3] [--connections 32]
 */
import { fileURLToPath } from 'node:url';
import { send } from './support/control-calls.ts';
import {
  pidOf,
  requireTools,
  type Sample,
  startProxyRig,
  type Target,
} from './support/proxy-rig.ts';
import { option, progress, type Row, report } from './support/report.ts';
import { startServer } from './support/server-process.ts';

requireTools(['nginx', 'haproxy', 'wrk', 'taskset']);
const rounds = option('rounds', 3);
const seconds = option('seconds', 3);
const connections = option('connections', 32);
const rig = await startProxyRig();
const server = await startServer();
const withoutNative = await startServer({ env: { PORTOLAN_NATIVE_TRANSPORT: 'off' } });
const rows: Row[] = [];

const say = (name: string, sample: Sample | undefined): string =>
  `${name} ${Math.round(sample?.perSecond ?? 0).toLocaleString('en')}/s (p99 ${sample?.p99Ms.toFixed(2)} ms, ${sample?.cpuMicros.toFixed(1)} µs CPU${sample?.errors ? `, ${sample.errors} ERRORS` : ''})`;
const sayAll = (samples: Record<string, Sample>): string =>
  Object.entries(samples)
    .map(([name, sample]) => say(name, sample))
    .join(', ');

try {
  for (const { control } of [server, withoutNative]) {
    for (const port of rig.upstreamPorts) {
      const body = { service: 'bench', address: '127.0.0.1', port, lease: 'none' };
      await send(`${control}/register`, 'POST', body);
    }
    await send(`${control}/api/v1/routes/bench`, 'PUT', { to: [{ service: 'bench' }] });
  }
  const natives = await rig.startNatives();
  const gateway: Target = { origin: server.gateway, ...pidOf(server.child) };
  const nodeNet: Target = { origin: withoutNative.gateway, ...pidOf(withoutNative.child) };
  const work = { path: '/', connections, rounds, seconds };
  await rig.compare({ gateway, nodeNet }, { ...work, rounds: 1 });

  for (const [what, over, small] of [
    [`64 B answers, ${connections} keep-alive connections`, {}, true],
    ['64 B answers, 512 connections', { connections: 512 }, true],
    ['64 KiB answers', { path: '/64k' }, false],
    ['1 MiB answers', { path: '/1m', connections: 8 }, false],
    ['64 KiB request bodies', { path: '/upload', bodyBytes: 65_536 }, false],
    ['1 MiB request bodies', { path: '/upload', bodyBytes: 1_048_576, connections: 8 }, false],
  ] as const) {
    const targets = { ...natives, gateway, ...(small ? { 'over node:net': nodeNet } : {}) };
    const all = await rig.compare(targets, { ...work, ...over });
    const own = all.gateway as Sample;
    const ratio = (name: string): number => own.perSecond / (all[name]?.perSecond ?? Number.NaN);
    const cpu = (all.nginx?.cpuMicros ?? Number.NaN) / own.cpuMicros;
    const first = small && !('connections' in over);
    rows.push({
      work: what,
      figure: `${ratio('nginx').toFixed(2)} × nginx, ${ratio('haproxy').toFixed(2)} × HAProxy; by CPU time ${cpu.toFixed(2)} × nginx; ${sayAll(all)}`,
      target: `≥ 0.8 × ${small ? 'both' : 'nginx'}${first ? ', p99 ≤ 1.2 × theirs' : ''}`,
      met:
        ratio('nginx') >= 0.8 &&
        (!small || ratio('haproxy') >= 0.8) &&
        own.errors === 0 &&
        (!first || own.p99Ms <= 1.2 * Math.max(all.nginx?.p99Ms ?? 0, all.haproxy?.p99Ms ?? 0)),
    });
  }

  const peerScript = fileURLToPath(new URL('./support/node-proxy-peer.ts', import.meta.url));
  const names = ['http-proxy', '@fastify/http-proxy', 'fast-proxy'];
  const peers: Record<string, Target> = {};
  for (const [at, name] of names.entries()) {
    const port = 18_010 + at;
    const ports = rig.upstreamPorts.map(String);
    const child = rig.run(process.execPath, [peerScript, name, String(port), ...ports]);
    peers[name] = { origin: `http://127.0.0.1:${port}`, ...pidOf(child) };
  }
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const all = await rig.compare({ ...peers, gateway }, work);
  const best = Math.max(...names.map((name) => all[name]?.perSecond ?? 0));
  const own = (all.gateway as Sample).perSecond;
  rows.push({
    work: '64 B answers, against Node proxies on the same core',
    figure: `${(own / best).toFixed(2)} × the best; ${sayAll(all)}`,
    target: '≥ 3 × the best of them',
    met: own >= 3 * best,
  });
} finally {
  await server.dispose();
  await withoutNative.dispose();
  await rig.dispose();
}
progress('');
await report('proxy', rows);
