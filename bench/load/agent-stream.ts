/**
 * The agent protocol beside plain HTTP, in one run: registrations and heartbeats one at a time and many at once, with the
 * CPU time that the server spends on each. Durable, over loopback.
 *
 *   node bench/load/agent-stream.ts [--instances 50000] [--seconds 5]
 */
import { encodeFrame, encodeJsonFrame, encodeNumbers, FRAME } from '@portolan/core';
import { type AgentStream, openAgentStream, runStreams } from './support/agent-stream.ts';
import { requestBytes, runLoad } from './support/http-load.ts';
import { option, progress, type Row, report } from './support/report.ts';
import { startServer } from './support/server-process.ts';

const instances = option('instances', 50_000);
const seconds = option('seconds', 5);
/** Nodes: connections of the stream, each with an equal share of the instances. */
const NODES = 16;
const share = Math.floor(instances / NODES);
const BATCH = 500;

const server = await startServer();
const host = new URL(server.control).host;
const rows: Row[] = [];
let streams: AgentStream[] = [];

function registration(kind: string, index: number): object {
  return {
    service: `service-${index % Math.max(1, Math.floor(instances / 100))}`,
    id: `${kind}-${index}`,
    address: `10.${kind.length}.${(index >> 8) & 255}.${index & 255}`,
    port: 8_080 + (index >> 16),
    tags: ['version:v1', 'region:eu'],
    metadata: { start: '1763900000', weight: '100' },
    ttl: 3_600,
  };
}

/** Runs a load and says what an instance cost the server. */
async function measure(
  work: string,
  perUnit: number,
  run: () => Promise<{ units: number; seconds: number; p99Ms: number; errors: number }>,
  target?: { readonly text: string; met(perSecond: number, cpuUs: number): boolean },
): Promise<{ readonly perSecond: number; readonly cpuUs: number }> {
  progress(work);
  const cpuBefore = await server.cpuSeconds();
  const { units, seconds: took, p99Ms, errors } = await run();
  const count = units * perUnit;
  const cpuUs = (((await server.cpuSeconds()) - cpuBefore) * 1e6) / count;
  const perSecond = count / took;
  const wrong = errors > 0 ? `, ${errors} ERRORS` : '';
  rows.push({
    work,
    figure: `${Math.round(perSecond).toLocaleString('en')} instances/s, ${cpuUs.toFixed(cpuUs < 10 ? 2 : 1)} µs of CPU each, p99 ${p99Ms.toFixed(1)} ms${wrong}`,
    ...(target ? { target: target.text, met: errors === 0 && target.met(perSecond, cpuUs) } : {}),
  });
  return { perSecond, cpuUs };
}

const http = (connections: number, durationMs: number, next: (n: number) => Buffer | undefined) =>
  runLoad({ origin: server.control, connections, durationMs, next }).then((result) => ({
    units: result.requests,
    seconds: result.seconds,
    p99Ms: result.p99Ms,
    errors: result.errors,
  }));

let lastRequest = 0;
const overStreams = (
  inFlight: number,
  next: (stream: number, sequence: number, request: number) => Uint8Array | undefined,
) =>
  runStreams(streams, inFlight, (stream, sequence) => {
    const frame = next(stream, sequence, lastRequest + 1);
    if (!frame) return undefined;
    lastRequest += 1;
    return { request: lastRequest, frame };
  }).then(({ frames, errors, seconds: took, latenciesMs }) => ({
    units: frames,
    seconds: took,
    p99Ms: latenciesMs[Math.floor(latenciesMs.length * 0.99)] ?? 0,
    errors,
  }));

const lasting = () => {
  const untilMs = performance.now() + seconds * 1_000;
  return () => performance.now() < untilMs;
};

try {
  streams = await Promise.all(Array.from({ length: NODES }, () => openAgentStream(server.control)));

  const single = await measure('`POST /register`, one a request, 64 connections', 1, () =>
    http(64, seconds * 1_000, (n) => requestBytes('POST', '/register', host, registration('h', n))),
  );
  let registered = 0;
  const slotsOf = streams.map(() => 0);
  const registerFrame = (stream: number, count: number, request: number): Uint8Array => {
    const first = slotsOf[stream] ?? 0;
    slotsOf[stream] = first + count;
    const bodies = Array.from({ length: count }, () => registration('st', registered++));
    const slots = bodies.map((_, at) => first + at);
    return encodeJsonFrame(FRAME.REGISTER, request, { slots, instances: bodies, brief: true });
  };
  let goesOn = lasting();
  await measure(
    `REGISTER, one a frame, ${NODES} connections with 4 on their way`,
    1,
    () =>
      overStreams(4, (stream, _sequence, request) =>
        goesOn() ? registerFrame(stream, 1, request) : undefined,
      ),
    {
      text: 'less CPU than `POST /register`',
      met: (_perSecond, cpuUs) => cpuUs < single.cpuUs,
    },
  );
  for (const stream of streams) stream.close();
  streams = await Promise.all(Array.from({ length: NODES }, () => openAgentStream(server.control)));
  slotsOf.fill(0);
  lastRequest = 0;

  const batches = Math.ceil(share / BATCH);
  let sent = 0;
  await measure(`\`POST /instances/batch\`, ${BATCH} a request, 4 connections`, BATCH, () =>
    http(4, 600_000, (n) => {
      if (n >= batches * NODES) return undefined;
      const items = Array.from({ length: BATCH }, () => registration('batch', sent++));
      return requestBytes('POST', '/api/v1/instances/batch', host, { instances: items });
    }),
  );
  await measure(`REGISTER, ${BATCH} a frame, ${NODES} connections`, BATCH, () =>
    overStreams(1, (stream, sequence, request) =>
      sequence < batches ? registerFrame(stream, BATCH, request) : undefined,
    ),
  );

  await measure('`PUT /instances/:id/heartbeat`, one a request, 64 connections', 1, () =>
    http(64, seconds * 1_000, (n) =>
      requestBytes('PUT', `/api/v1/instances/batch-${(n * 7_919) % sent}/heartbeat`, host),
    ),
  );
  const idBatches = Array.from({ length: 64 }, (_, at) => {
    const ids = Array.from({ length: BATCH }, (__, k) => `batch-${(at * BATCH + k) % sent}`);
    return requestBytes('POST', '/api/v1/instances/heartbeat', host, { ids });
  });
  await measure(`\`POST /instances/heartbeat\`, ${BATCH} a request, 16 connections`, BATCH, () =>
    http(16, seconds * 1_000, (n) => idBatches[n % idBatches.length]),
  );
  goesOn = lasting();
  const named = Array.from({ length: batches }, (_, at) =>
    encodeNumbers(Array.from({ length: BATCH }, (__, k) => at * BATCH + k)),
  );
  const atLeast = {
    text: '≥ 200,000 instances/s',
    met: (perSecond: number) => perSecond >= 200_000,
  };
  await measure(
    `RENEW of ${BATCH} slots, ${NODES} connections`,
    BATCH,
    () =>
      overStreams(1, (_stream, sequence, request) =>
        goesOn() ? encodeFrame(FRAME.RENEW, request, named[sequence % batches]) : undefined,
      ),
    atLeast,
  );
  goesOn = lasting();
  await measure(
    `RENEW of all ${batches * BATCH} slots of a connection, ${NODES} connections`,
    batches * BATCH,
    () =>
      overStreams(1, (_stream, _sequence, request) =>
        goesOn() ? encodeFrame(FRAME.RENEW, request) : undefined,
      ),
    atLeast,
  );
} finally {
  for (const stream of streams) stream.close();
  await server.dispose();
}
progress('');
await report('agent-stream', rows);
