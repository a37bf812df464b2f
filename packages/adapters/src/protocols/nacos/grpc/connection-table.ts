import type { Clock, Instance, InstanceRef, Logger, Registry, TimerHandle } from '@portolan/core';
import type { NacosLifecycle } from '../nacos-lifecycle.ts';
import { CONNECTION_LEASE, findAt } from '../to-registration.ts';
import type { Connection, HeldInstance } from './connection.ts';

/** Every client that is connected, and which instance is whose. */
export interface ConnectionTable {
  readonly size: number;
  all(): Iterable<Connection>;
  byPeer(peer: string): Connection | undefined;
  add(connection: Connection): void;
  /** Which connection keeps an instance. */
  ownerOf(ref: InstanceRef): Connection | undefined;
  /** Takes note that the connection keeps the instance from now on. */
  hold(connection: Connection, held: HeldInstance): Promise<void>;
  /** Gives up an instance; it is deregistered unless another connection has registered it since. */
  release(connection: Connection, held: HeldInstance): Promise<void>;
  /** The connection is over: what it held and nobody else holds is deregistered at once. */
  remove(connection: Connection): Promise<void>;
  /** Ends all without deregistering: after a restart the clients come back before the leases end. */
  close(): void;
}

export interface ConnectionTableDeps {
  readonly registry: Registry;
  readonly lifecycle: NacosLifecycle;
  readonly clock: Clock;
  readonly logger: Logger;
}

const SWEEP_MS = 3_000;
const IDLE_MS = 20_000;
const DETECTION_MS = 5_000;

export function createConnectionTable(deps: ConnectionTableDeps): ConnectionTable {
  const { registry, lifecycle, clock, logger } = deps;
  const connections = new Map<string, Connection>();
  const owners = new Map<string, Connection>();
  let closed = false;
  let lastRenewalMs = clock.now();
  let timer: TimerHandle | undefined;

  function sweepLater(): void {
    if (closed || connections.size === 0) return;
    timer ??= clock.setTimer(SWEEP_MS, () => {
      timer = undefined;
      sweep();
      sweepLater();
    });
  }

  function sweep(): void {
    const nowMs = clock.now();
    for (const connection of connections.values()) {
      if (nowMs - connection.lastActiveMs >= IDLE_MS) detect(connection).catch(report);
    }
    if (nowMs - lastRenewalMs < CONNECTION_LEASE.heartbeatMs - SWEEP_MS) return;
    lastRenewalMs = nowMs;
    renew().catch(report);
  }

  /** Silent for long: asked whether it is still there. */
  async function detect(connection: Connection): Promise<void> {
    // Not asked again while it is being asked.
    connection.touch();
    if (await connection.ask('ClientDetectionRequest', {}, DETECTION_MS)) return;
    if (connection.closed) return;
    logger.info({ connection: connection.id }, 'a Nacos client does not answer and is let go');
    await table.remove(connection);
  }

  async function renew(): Promise<void> {
    const refs: InstanceRef[] = [];
    for (const { held } of connections.values()) {
      for (const { ref } of held.values()) refs.push(ref);
    }
    if (refs.length === 0) return;
    for (const ref of await registry.renewBatch(refs)) {
      // One that cannot be registered now is tried again with the next renewal, and does not keep the others away.
      await restore(keyOf(ref)).catch(report);
    }
  }

  /** A client that is connected believes in its instance: what went missing is registered again, unless others took its place. */
  async function restore(key: string): Promise<void> {
    const connection = owners.get(key);
    const held = connection?.held.get(key);
    if (!connection || !held) return;
    const { service, instance } = held;
    const forget = (): void => {
      connection.held.delete(key);
      owners.delete(key);
    };
    if (findAt(registry, service.key, instance.ip, instance.port)) return forget();
    const ref = await lifecycle.register(service, instance, 'connection');
    const meanwhile = connection.held.get(key);
    const again = { ref, service, instance };
    if (meanwhile === held) {
      forget();
      await table.hold(connection, again);
    } else if (!meanwhile) await table.release(connection, again);
  }

  function report(error: unknown): void {
    logger.warn({ err: error }, 'the instances of Nacos clients could not be looked after');
  }

  const table: ConnectionTable = {
    get size() {
      return connections.size;
    },
    all: () => connections.values(),
    byPeer: (peer) => connections.get(peer),
    ownerOf: (ref) => owners.get(keyOf(ref)),

    add(connection) {
      connections.set(connection.peer, connection);
      sweepLater();
    },

    async hold(connection, held) {
      const key = keyOf(held.ref);
      owners.set(key, connection);
      connection.held.set(key, held);
      // It went while it registered.
      if (connection.closed && !closed) await table.release(connection, held);
    },

    async release(connection, held) {
      const key = keyOf(held.ref);
      connection.held.delete(key);
      const owner = owners.get(key);
      if (owner !== undefined && owner !== connection) return;
      owners.delete(key);
      const present = registry.instance(held.ref);
      if (!present || !isStill(present, held)) return;
      await lifecycle.deregister(held.service.key, held.instance.ip, held.instance.port);
    },

    async remove(connection) {
      if (connections.get(connection.peer) === connection) connections.delete(connection.peer);
      connection.close();
      if (closed) return;
      const ended = [...connection.held.values()].map((held) => table.release(connection, held));
      for (const outcome of await Promise.allSettled(ended)) {
        if (outcome.status === 'rejected') report(outcome.reason);
      }
    },

    close() {
      closed = true;
      timer?.cancel();
      for (const connection of connections.values()) connection.close();
      connections.clear();
      owners.clear();
    },
  };
  return table;
}

function keyOf({ namespace, id }: InstanceRef): string {
  return `${namespace}/${id}`;
}

function isStill({ service, address, port }: Instance, { service: of, instance }: HeldInstance) {
  return (
    address === instance.ip &&
    port === instance.port &&
    service.name === of.key.name &&
    service.group === of.key.group
  );
}
