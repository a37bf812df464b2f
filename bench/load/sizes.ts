/**
 * What a million instances cost beside ten thousand: two servers in one run, the same work done to the one and to the other in turns, so
 * that what else the machine does comes to both. Registrations are taken back after each turn: the sizes stay.
 *
 *   node bench/load/sizes.ts [--small 10000] [--large 1000000] [--rounds 15]
 */
import { requestBytes, runLoad } from './support/http-load.ts';
import { median } from './support/peers/measured-peer.ts';
import { heartbeatBatches, registration } from './support/registrations.ts';
import { option, progress, type Row, report } from './support/report.ts';
import { type ServerUnderTest, startServer } from './support/server-process.ts';

const SIZES = [option('small', 10_000), option('large', 1_000_000)] as const;
const rounds = option('rounds', 15);
/** Until the runtime has compiled what they run. */
const WARM_UP_ROUNDS = 3;
const BATCH = 500;
const SINGLE_CONNECTIONS = 64;
const BATCH_CONNECTIONS = 8;
/** Registered and taken back in each turn. */
const EXTRA = 10_000;
const BEATS = 40_000;
const BATCHES_OF_BEATS = 3_000;

interface Side {
  readonly size: number;
  readonly server: ServerUnderTest;
  readonly host: string;
  /** A run of neighbours each, as those of a node are; all of them together are all instances. */
  readonly idBatches: readonly Buffer[];
}

interface Work {
  readonly name: string;
  readonly unit: string;
  /** Requests, instances in each, and the connections that they come over. */
  readonly requests: number;
  readonly perRequest: number;
  readonly connections: number;
  readonly request: (side: Side, n: number, round: number) => Buffer;
  readonly isUndone?: boolean;
}

const WORKS: readonly Work[] = [
  {
    name: '`POST /register`, one a request',
    unit: '/s',
    requests: EXTRA,
    perRequest: 1,
    connections: SINGLE_CONNECTIONS,
    request: ({ host }, n) => requestBytes('POST', '/register', host, extra(n)),
    isUndone: true,
  },
  {
    name: 'heartbeats, one a request',
    unit: '/s',
    requests: BEATS,
    perRequest: 1,
    connections: SINGLE_CONNECTIONS,
    request: ({ host, size }, n, round) => {
      const at = ((round * BEATS + n) * 7_919) % size;
      return requestBytes('PUT', `/api/v1/instances/i-${at}/heartbeat`, host);
    },
  },
  {
    name: `heartbeats, ${BATCH} a request`,
    unit: ' instances/s',
    requests: BATCHES_OF_BEATS,
    perRequest: BATCH,
    connections: SINGLE_CONNECTIONS,
    request: ({ idBatches }, n, round) =>
      idBatches[(round * BATCHES_OF_BEATS + n) % idBatches.length] as Buffer,
  },
  {
    name: `batch registration, ${BATCH} a request`,
    unit: ' instances/s',
    requests: EXTRA / BATCH,
    perRequest: BATCH,
    connections: BATCH_CONNECTIONS,
    request: ({ host }, n) => {
      const instances = Array.from({ length: BATCH }, (_, at) => extra(n * BATCH + at));
      return requestBytes('POST', '/api/v1/instances/batch', host, { instances });
    },
    isUndone: true,
  },
];

/** The same for both: a hundred services of a hundred. */
function extra(n: number): object {
  return registration(n, EXTRA, 'extra');
}

const sides: Side[] = [];
try {
  for (const size of SIZES) sides.push(await fill(size));
  const figures = WORKS.map(() => sides.map((): number[] => []));
  for (let round = 0; round < WARM_UP_ROUNDS + rounds; round++) {
    progress(`round ${round + 1} of ${WARM_UP_ROUNDS + rounds}`);
    for (const [at, work] of WORKS.entries()) {
      // Who is first may find the machine in another state than who is second.
      const order = round % 2 === 0 ? [0, 1] : [1, 0];
      for (const which of order) {
        const side = sides[which] as Side;
        const perSecond = await turn(work, side, round);
        if (round >= WARM_UP_ROUNDS) figures[at]?.[which]?.push(perSecond);
        if (work.isUndone) await takeBack(side);
      }
    }
  }
  await report(
    'sizes',
    WORKS.map((work, at) => toRow(work, figures[at] ?? [])),
  );
} finally {
  progress('');
  for (const { server } of sides) await server.dispose();
}

async function fill(size: number): Promise<Side> {
  const server = await startServer({ pin: false });
  const host = new URL(server.control).host;
  let shown = 0;
  await load(server, BATCH_CONNECTIONS, size / BATCH, (n) => {
    if (n * BATCH >= shown) {
      progress(`registering ${size.toLocaleString('en')}: ${(n * BATCH).toLocaleString('en')}`);
      shown += size / 10;
    }
    const instances = Array.from({ length: BATCH }, (_, at) => registration(n * BATCH + at, size));
    return requestBytes('POST', '/api/v1/instances/batch', host, { instances });
  });
  const idBatches = heartbeatBatches(host, size, BATCH);
  return { size, server, host, idBatches };
}

async function turn(work: Work, side: Side, round: number): Promise<number> {
  const { requests, connections, request, perRequest } = work;
  const bytes = Array.from({ length: requests }, (_, n) => request(side, n, round));
  const { seconds } = await load(side.server, connections, requests, (n) => bytes[n] as Buffer);
  return (requests * perRequest) / seconds;
}

async function takeBack(side: Side): Promise<void> {
  await load(side.server, SINGLE_CONNECTIONS, EXTRA, (n) =>
    requestBytes('DELETE', `/api/v1/instances/extra-${n}`, side.host),
  );
}

async function load(
  server: ServerUnderTest,
  connections: number,
  requests: number,
  request: (n: number) => Buffer,
) {
  const result = await runLoad({
    origin: server.control,
    connections,
    next: (n) => (n < requests ? request(n) : undefined),
  });
  if (result.errors > 0) throw new Error(`${result.errors} errors: ${result.firstError}`);
  return result;
}

function toRow({ name, unit }: Work, [small = [], large = []]: readonly number[][]): Row {
  const fall = 1 - median(large.map((value, at) => value / (small[at] ?? value)));
  const [few, many] = [small, large].map((values) =>
    Math.round(median(values)).toLocaleString('en'),
  );
  const [from, to] = SIZES.map((size) => size.toLocaleString('en'));
  return {
    work: name,
    figure: `${few}${unit} with ${from}, ${many}${unit} with ${to}: ${Math.abs(fall * 100).toFixed(0)} % ${fall < 0 ? 'more' : 'less'}`,
    target: '< 20 % less',
    met: fall < 0.2,
  };
}
