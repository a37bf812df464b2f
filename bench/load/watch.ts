/**
 * One change to all watchers of a service, and register → first routed request.
 *
 *   node bench/load/watch.ts [--watchers 1000] [--changes 50] [--services 1000]
 */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect, type Socket } from 'node:net';
import { LatencyHistogram } from 'portolan/bench';
import { option, progress, type Row, report } from './support/report.ts';
import { startServer } from './support/server-process.ts';

const watchers = option('watchers', 1_000);
const changes = option('changes', 50);
const services = option('services', 1_000);
const rows: Row[] = [];
const server = await startServer();
const control = new URL(server.control);

async function put(service: string, id: string, port: number, version: string): Promise<number> {
  const answer = await fetch(`${server.control}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      service,
      id,
      address: '127.0.0.1',
      port,
      metadata: { version },
      lease: 'none',
    }),
  });
  const body = (await answer.json()) as { revision: number };
  if (!answer.ok) throw new Error(JSON.stringify(body));
  return body.revision;
}

const ms = (latency: LatencyHistogram, share: number): string =>
  latency.percentileMs(share).toFixed(1);

try {
  await put('watched', 'w', 9, 'v0');
  await put('elsewhere', 'e', 9, 'v0');
  progress(`opening ${watchers} watchers`);
  let seen = new Map<string, number[]>();
  let woken = 0;
  const sockets: Socket[] = await Promise.all(
    Array.from(
      { length: watchers },
      () =>
        new Promise<Socket>((resolve, reject) => {
          const socket = connect({ host: control.hostname, port: Number(control.port) });
          let tail = '';
          socket.setEncoding('utf8');
          socket.once('data', () => resolve(socket));
          socket.on('error', reject);
          socket.on('data', (text: string) => {
            const nowMs = performance.now();
            tail += text;
            for (let at = tail.indexOf('\n\n'); at >= 0; at = tail.indexOf('\n\n')) {
              const block = tail.slice(0, at);
              tail = tail.slice(at + 2);
              const id = /^(?:[0-9a-f]+\r\n)?id: ?(\d+)/m.exec(block)?.[1];
              if (!id) continue;
              woken += 1;
              seen.get(id)?.push(nowMs) ?? seen.set(id, [nowMs]);
            }
          });
          socket.write(
            `GET /api/v1/services/watched/instances?watch=true HTTP/1.1\r\nhost: ${control.host}\r\naccept: text/event-stream\r\n\r\n`,
          );
        }),
    ),
  );
  await new Promise((resolve) => setTimeout(resolve, 500));

  const delays = new LatencyHistogram();
  let missed = 0;
  for (let change = 1; change <= changes; change++) {
    progress(`change ${change} of ${changes}`);
    seen = new Map();
    const startMs = performance.now();
    const revision = await put('watched', 'w', 9, `v${change}`);
    const endMs = performance.now() + 2_000;
    while ((seen.get(String(revision))?.length ?? 0) < watchers && performance.now() < endMs) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const arrived = seen.get(String(revision)) ?? [];
    missed += watchers - arrived.length;
    for (const atMs of arrived) delays.record(atMs - startMs);
  }
  rows.push({
    work: `one change → all of ${watchers.toLocaleString('en')} watchers of that service`,
    figure: `p50 ${ms(delays, 0.5)} ms, p99 ${ms(delays, 0.99)} ms from the request; ${missed} missed`,
    target: 'p99 < 50 ms',
    met: delays.percentileMs(0.99) < 50 && missed === 0,
  });
  woken = 0;
  for (let change = 1; change <= changes; change++) await put('elsewhere', 'e', 9, `v${change}`);
  await new Promise((resolve) => setTimeout(resolve, 300));
  rows.push({
    work: `${changes} changes elsewhere`,
    figure: `${woken} watchers woken`,
    target: 'none',
    met: woken === 0,
  });
  for (const socket of sockets) socket.destroy();

  const upstream = createServer((_, reply) => reply.end('ok'));
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  const { port } = upstream.address() as AddressInfo;
  const routed = new LatencyHistogram();
  let refused = 0;
  for (let at = 0; at < services; at++) {
    if (at % 100 === 0) progress(`register → routed ${at} of ${services}`);
    await put(`fresh-${at}`, `fresh-${at}`, port, 'v1');
    const acknowledgedMs = performance.now();
    for (;;) {
      const answer = await fetch(`${server.gateway}/fresh-${at}/`);
      await answer.arrayBuffer();
      if (answer.status === 200) break;
      refused += 1;
    }
    routed.record(performance.now() - acknowledgedMs);
  }
  upstream.closeAllConnections();
  upstream.close();
  rows.push({
    work: 'registration acknowledged → first request answered through the gateway',
    figure: `p50 ${ms(routed, 0.5)} ms, p99 ${ms(routed, 0.99)} ms, longest ${routed.maxMs.toFixed(1)} ms of ${services.toLocaleString('en')} (the request itself included); ${refused} answered with an error before`,
    target: 'p99 < 10 ms',
    met: routed.percentileMs(0.99) < 10 && refused === 0,
  });
} finally {
  await server.dispose();
}
progress('');
await report('watch', rows);
