/**
 * What nobody publishes together: heartbeats, churn and the time from a change to its subscribers, at the same time and against the same
 * registry, durable throughout.
 *
 *   node bench/load/triple.ts [--instances 10000] [--seconds 20] [--changes 100] [--watchers 200] [--beat 5] [--pin 1]
 *
 * All instances are heard of every `--beat` seconds, 500 a request; `--changes` registrations a second change an instance of one of
 * 50 services; each of the `--watchers` follows one of these services by server-sent events.
 */
import { connect, type Socket } from 'node:net';
import { LatencyHistogram } from 'portolan/bench';
import { requestBytes, runLoad } from './support/http-load.ts';
import { option, progress, type Row, report } from './support/report.ts';
import { startServer } from './support/server-process.ts';

const instances = option('instances', 10_000);
const seconds = option('seconds', 20);
const changes = option('changes', 100);
const watchers = option('watchers', 200);
const beatSeconds = option('beat', 5);
const BATCH = 500;
const PER_SERVICE = 100;
const WATCHED_SERVICES = 50;

function registration(index: number, version: string): object {
  return {
    service: `service-${Math.floor(index / PER_SERVICE)}`,
    id: `i-${index}`,
    address: `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`,
    port: 8080,
    metadata: { version, region: 'eu' },
    lease: { ttl: `${beatSeconds * 6}s`, heartbeat: `${beatSeconds}s` },
  };
}

/** On one core, its collector included; else it has the machine to itself but for the load. */
const pin = option('pin', 0) === 1;
const server = await startServer({ pin });
const { host, hostname, port } = new URL(server.control);
const sockets: Socket[] = [];
/** The newest change that each has seen. */
const lastOf = new Map<Socket, number>();
try {
  progress(`registering ${instances} instances`);
  const count = Math.ceil(instances / BATCH);
  const sizeOf = (at: number): number => Math.min(BATCH, instances - at * BATCH);
  const batches = Array.from({ length: count }, (_, at) => {
    const ids = Array.from({ length: sizeOf(at) }, (__, k) => `i-${at * BATCH + k}`);
    return requestBytes('POST', '/api/v1/instances/heartbeat', host, { ids });
  });
  let registered = 0;
  /** Those that are registered are heard of while the others are: a million take longer than a lease. The next due is first. */
  const due: { readonly at: number; readonly atMs: number }[] = [];
  const filled = await runLoad({
    origin: server.control,
    connections: 4,
    next() {
      const atMs = performance.now() + beatSeconds * 1_000;
      const first = due[0];
      if (first !== undefined && first.atMs <= performance.now() && registered < count) {
        due.shift();
        due.push({ at: first.at, atMs });
        return batches[first.at];
      }
      if (registered >= count) return undefined;
      const at = registered++;
      due.push({ at, atMs });
      const items = Array.from({ length: sizeOf(at) }, (_, k) =>
        registration(at * BATCH + k, 'v0'),
      );
      return requestBytes('POST', '/api/v1/instances/batch', host, { instances: items });
    },
  });
  if (filled.errors > 0) throw new Error(filled.firstError);

  progress(`opening ${watchers} watchers`);
  const services = Math.min(WATCHED_SERVICES, Math.ceil(instances / PER_SERVICE));
  /** When the change of a version was asked for, by the version. */
  const askedMs = new Map<string, number>();
  const delays = new LatencyHistogram();
  let seen = 0;
  for (let at = 0; at < watchers; at++) sockets.push(await watch(`service-${at % services}`));

  progress(`${seconds} s of heartbeats, changes and watching`);
  const cpuBefore = await server.cpuSeconds();
  const startedMs = performance.now();
  const [beats, churn] = await Promise.all([
    runLoad({
      origin: server.control,
      connections: 4,
      durationMs: seconds * 1_000,
      rate: count / beatSeconds,
      next: (at) => batches[at % count],
    }),
    runLoad({
      origin: server.control,
      connections: 16,
      durationMs: seconds * 1_000,
      rate: changes,
      next(at) {
        const version = `c${at}`;
        // A connection asks for its next request ahead of its time.
        askedMs.set(version, Math.max(performance.now(), startedMs + (at * 1_000) / changes));
        const service = at % services;
        const index = service * PER_SERVICE + (Math.floor(at / services) % PER_SERVICE);
        return requestBytes(
          'POST',
          '/register',
          host,
          registration(Math.min(index, instances - 1), version),
        );
      },
    }),
  ]);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const cpu = (await server.cpuSeconds()) - cpuBefore;
  const answer = await fetch(`${server.control}/api/v1/status`);
  const { counts } = (await answer.json()) as { counts: { instances: number } };
  const heardPerSecond = beats.perSecond * Math.min(BATCH, instances);
  const rows: Row[] = [
    {
      work: 'heartbeats',
      figure: `${Math.round(heardPerSecond).toLocaleString('en')} instances/s, p99 ${beats.p99Ms.toFixed(1)} ms a request of ${BATCH}${wrong(beats)}`,
      target: `every instance every ${beatSeconds} s, none lost`,
      met:
        beats.errors === 0 &&
        counts.instances === instances &&
        heardPerSecond >= (0.99 * instances) / beatSeconds,
    },
    {
      work: 'changes, durable',
      figure: `${Math.round(churn.perSecond).toLocaleString('en')}/s, p50 ${churn.p50Ms.toFixed(1)} ms, p99 ${churn.p99Ms.toFixed(1)} ms${wrong(churn)}`,
    },
    {
      work: `change → its subscribers (${watchers} watchers of ${services} services)`,
      figure: `p50 ${delays.percentileMs(0.5).toFixed(1)} ms, p99 ${delays.percentileMs(0.99).toFixed(1)} ms over ${delays.count.toLocaleString('en')} sightings of ${seen.toLocaleString('en')} views`,
      target: 'p99 < 50 ms',
      met: delays.percentileMs(0.99) < 50,
    },
    {
      work: 'resident memory, processor',
      figure: `${Math.round((await server.residentBytes()) / 2 ** 20).toLocaleString('en')} MiB, ${Math.round((100 * cpu) / (seconds + 1))} % of a core`,
    },
  ];
  progress('');
  await report(`triple-${instances}`, rows);

  /** Resolves when its first view is there. */
  function watch(service: string): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: hostname, port: Number(port) });
      let tail = '';
      socket.setEncoding('latin1');
      socket.once('data', () => resolve(socket));
      socket.on('error', reject);
      socket.on('data', (text: string) => {
        const nowMs = performance.now();
        tail += text;
        for (let end = tail.indexOf('\n\n'); end >= 0; end = tail.indexOf('\n\n')) {
          const block = tail.slice(0, end);
          tail = tail.slice(end + 2);
          seen++;
          // The newest version in the view is the change that it came for.
          const versions = block.match(/"version":"c\d+"/g) ?? [];
          let newest = -1;
          for (const found of versions) newest = Math.max(newest, Number(found.slice(12, -1)));
          const asked = askedMs.get(`c${newest}`);
          if (asked === undefined || newest <= (lastOf.get(socket) ?? -1)) continue;
          lastOf.set(socket, newest);
          delays.record(nowMs - asked);
        }
      });
      socket.write(
        `GET /api/v1/services/${service}/instances?watch=true HTTP/1.1\r\nhost: ${host}\r\naccept: text/event-stream\r\n\r\n`,
      );
    });
  }
} finally {
  for (const socket of sockets) socket.destroy();
  await server.dispose();
}

function wrong(result: { readonly errors: number; readonly firstError?: string }): string {
  return result.errors > 0 ? `, ${result.errors} ERRORS (${result.firstError})` : '';
}
