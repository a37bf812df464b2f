import { isDeepStrictEqual } from 'node:util';
import { call } from '../support/registry-api.ts';

/** What one lane wrote last: `acknowledged` for certain, `underWay` perhaps. */
export interface Cell {
  readonly name: string;
  acknowledged: unknown;
  underWay: { readonly state: unknown; readonly mark: string } | undefined;
  /** Writes the next thing; resolves with the revision when it was acknowledged. */
  write(origin: string, op: number, random: () => number): Promise<number>;
  /** The state as a restarted server has it. Throws when that is half of something. */
  read(server: ServerState): unknown;
}

interface InstanceState {
  readonly id: string;
  readonly metadata: { readonly op?: string };
  readonly intent: { readonly weight: number | null };
  readonly modifyRevision: number;
}
interface RouteState {
  readonly name: string;
  readonly timeoutMs: number | null;
}
export interface ServerState {
  readonly revision: number;
  readonly instances: ReadonlyMap<string, InstanceState>;
  readonly routes: ReadonlyMap<string, RouteState>;
}

const NAMESPACE = 'crash';
const BATCH = 16;
const ABSENT = 'absent';

/** Everything the cells care about, as the server answers it. */
export async function readServer(origin: string): Promise<ServerState> {
  const { body: listed } = await call(origin, 'GET', `/api/v1/instances?namespace=${NAMESPACE}`);
  const { body: routed } = await call(origin, 'GET', `/api/v1/routes?namespace=${NAMESPACE}`);
  const instances: InstanceState[] = listed.instances;
  const routes: RouteState[] = routed.routes;
  return {
    revision: routed.revision,
    instances: new Map(instances.map((instance) => [instance.id, instance])),
    routes: new Map(routes.map((route) => [route.name, route])),
  };
}

/** Cells that between them make every kind of write there is. */
export function createCells(): Cell[] {
  const cells: Cell[] = [];
  for (let at = 0; at < 4; at++) cells.push(singleCell(`single-${at}`, 10_000 + at));
  for (let at = 0; at < 2; at++) cells.push(batchCell(`batch-${at}`, 20_000 + at * 100));
  for (let at = 0; at < 2; at++) cells.push(supersedeCell(`slot-${at}`, 30_000 + at));
  for (let at = 0; at < 2; at++) cells.push(intentCell(`intent-${at}`, 40_000 + at));
  for (let at = 0; at < 2; at++) cells.push(routeCell(`route-${at}`));
  return cells;
}

/** What is wrong with the state after a restart; then takes it as the one to go on from. */
export function judge(
  cell: Cell,
  server: ServerState,
  seenByWatcher: ReadonlySet<string>,
): string[] {
  const { acknowledged, underWay, name } = cell;
  let actual: unknown;
  try {
    actual = cell.read(server);
  } catch (error) {
    return [`${name}: ${error instanceof Error ? error.message : error}`];
  }
  const found: string[] = [];
  const isNext = underWay !== undefined && isDeepStrictEqual(actual, underWay.state);
  if (!isNext && !isDeepStrictEqual(actual, acknowledged)) {
    found.push(
      `${name}: is ${JSON.stringify(actual)}; acknowledged ${JSON.stringify(acknowledged)}, under way ${JSON.stringify(underWay?.state)}`,
    );
  }
  if (!isNext && underWay && seenByWatcher.has(underWay.mark)) {
    found.push(`${name}: a watcher saw ${underWay.mark}, which is gone`);
  }
  cell.acknowledged = actual;
  cell.underWay = undefined;
  return found;
}

async function send(origin: string, method: string, path: string, body?: unknown): Promise<number> {
  const answer = await call(origin, method, path, body);
  if (answer.status >= 300) {
    throw new RefusedWrite(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }
  const { body: told } = answer;
  if (told.results) {
    if (told.failed > 0) throw new RefusedWrite(JSON.stringify(told));
    return told.results[0].revision;
  }
  return told.revision ?? told.modifyRevision ?? 0;
}

/** The server answered, and not as it must: a finding, where a broken connection is the kill. */
export class RefusedWrite extends Error {}

function registration(id: string, port: number, op: number) {
  return {
    service: 'crash',
    namespace: NAMESPACE,
    id,
    address: '127.0.0.1',
    port,
    lease: 'none',
    metadata: { op: `${op}` },
  };
}

/** Registered, updated, patched and deregistered, one at a time. */
function singleCell(id: string, port: number): Cell {
  const cell: Cell = {
    name: id,
    acknowledged: ABSENT,
    underWay: undefined,
    async write(origin, op, random) {
      const present = cell.acknowledged !== ABSENT;
      const choice = present ? random() : 0;
      if (choice > 0.7) {
        cell.underWay = { state: ABSENT, mark: `${id}#gone` };
        return send(origin, 'DELETE', `/register/${id}?namespace=${NAMESPACE}`);
      }
      cell.underWay = { state: `${op}`, mark: `${id}#${op}` };
      return choice > 0.4
        ? send(origin, 'PATCH', `/api/v1/instances/${id}?namespace=${NAMESPACE}`, {
            metadata: { op: `${op}` },
          })
        : send(origin, 'POST', '/register', registration(id, port, op));
    },
    read: (server) => server.instances.get(id)?.metadata.op ?? ABSENT,
  };
  return cell;
}

/** Many in one write: all of them or none. */
function batchCell(name: string, port: number): Cell {
  const ids = Array.from({ length: BATCH }, (_, at) => `${name}-${at}`);
  const cell: Cell = {
    name,
    acknowledged: ABSENT,
    underWay: undefined,
    async write(origin, op) {
      cell.underWay = { state: `${op}`, mark: `${ids[0]}#${op}` };
      const instances = ids.map((id, at) => registration(id, port + at, op));
      return send(origin, 'POST', '/api/v1/instances/batch', { instances });
    },
    read(server) {
      const states = new Set(ids.map((id) => server.instances.get(id)?.metadata.op ?? ABSENT));
      if (states.size > 1) throw new Error(`half of a batch: ${[...states].join(', ')}`);
      return [...states][0];
    },
  };
  return cell;
}

/** Two ids that take one address and port from each other: always exactly one of them. */
function supersedeCell(name: string, port: number): Cell {
  const cell: Cell = {
    name,
    acknowledged: ABSENT,
    underWay: undefined,
    async write(origin, op) {
      const id = `${name}-${op % 2 === 0 ? 'a' : 'b'}`;
      cell.underWay = { state: { id, op: `${op}` }, mark: `${id}#${op}` };
      return send(origin, 'POST', '/register', registration(id, port, op));
    },
    read(server) {
      const present = ['a', 'b'].flatMap((end) => server.instances.get(`${name}-${end}`) ?? []);
      if (present.length > 1) throw new Error('two instances on one address and port');
      const [instance] = present;
      return instance ? { id: instance.id, op: instance.metadata.op } : ABSENT;
    },
  };
  return cell;
}

/** What the operator wants, on an instance that comes and goes. */
function intentCell(id: string, port: number): Cell {
  const cell: Cell = {
    name: id,
    acknowledged: ABSENT,
    underWay: undefined,
    async write(origin, op) {
      if (cell.acknowledged === ABSENT) {
        cell.underWay = { state: null, mark: `${id}#0` };
        return send(origin, 'POST', '/register', registration(id, port, 0));
      }
      const weight = op % 60_000;
      cell.underWay = { state: weight, mark: `${id}#weight-${weight}` };
      return send(origin, 'PUT', `/api/v1/instances/${id}/intent?namespace=${NAMESPACE}`, {
        weight,
      });
    },
    read(server) {
      const instance = server.instances.get(id);
      return instance === undefined ? ABSENT : instance.intent.weight;
    },
  };
  return cell;
}

function routeCell(name: string): Cell {
  const path = `/api/v1/routes/${name}?namespace=${NAMESPACE}`;
  const cell: Cell = {
    name,
    acknowledged: ABSENT,
    underWay: undefined,
    async write(origin, op, random) {
      if (cell.acknowledged !== ABSENT && random() > 0.8) {
        cell.underWay = { state: ABSENT, mark: `${name}#gone` };
        return send(origin, 'DELETE', path);
      }
      const timeoutMs = 1 + (op % 80_000_000);
      cell.underWay = { state: timeoutMs, mark: `${name}#${timeoutMs}` };
      return send(origin, 'PUT', path, { to: [{ service: 'crash' }], timeout: `${timeoutMs}ms` });
    },
    read: (server) => server.routes.get(name)?.timeoutMs ?? ABSENT,
  };
  return cell;
}
