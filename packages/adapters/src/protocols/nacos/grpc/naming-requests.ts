import { RegistryError, type RequestClass } from '@portolan/core';
import { serviceInfoOf } from '../http/nacos-context.ts';
import { listServices } from '../http/services.ts';
import { illegal, missing } from '../nacos-error.ts';
import { readFlag, readInstanceJson } from '../nacos-instance.ts';
import { type NacosService, toNacosService } from '../nacos-names.ts';
import type { NacosParts } from '../nacos-parts.ts';
import { findAt, type Keeper } from '../to-registration.ts';
import type { Connection } from './connection.ts';
import type { ConnectionTable } from './connection-table.ts';
import type { Message } from './payload.ts';
import { subscribe } from './subscription.ts';

const MAX_BATCH = 1_000;
const MAX_HELD = 10_000;
const MAX_SUBSCRIPTIONS = 10_000;

type Body = Message['body'];

/** What a request of a known type answers: type and members. */
export interface Answer {
  readonly type: string;
  readonly body?: object;
}

export type NamingHandler = (connection: Connection, body: Body) => Promise<Answer> | Answer;

const CLASSES: Readonly<Record<string, RequestClass>> = {
  // A client whose health check fails lets its connection go, and with it what it registered.
  ServerCheckRequest: 'heartbeat',
  HealthCheckRequest: 'heartbeat',
  InstanceRequest: 'write',
  PersistentInstanceRequest: 'write',
  BatchInstanceRequest: 'write',
};

/** How long a request is admitted when there is too much to do. */
export function classOf(type: string): RequestClass {
  return Object.hasOwn(CLASSES, type) ? (CLASSES[type] ?? 'read') : 'read';
}

/** The naming requests, by Java's names for them. */
export function namingRequests(
  parts: NacosParts,
  table: ConnectionTable,
): Readonly<Record<string, NamingHandler>> {
  const { lifecycle, namespace, registry } = parts;

  const serviceOf = (body: Body): NacosService =>
    toNacosService(
      {
        serviceName: requiredText(body, 'serviceName'),
        groupName: text(body, 'groupName'),
        namespaceId: text(body, 'namespace'),
      },
      namespace,
    );

  async function add(connection: Connection, service: NacosService, json: unknown) {
    const instance = readInstanceJson(json);
    const keeper: Keeper = instance.ephemeral ? 'connection' : 'nobody';
    if (keeper === 'connection' && connection.held.size >= MAX_HELD) {
      const detail = `A connection keeps ${MAX_HELD} instances at most.`;
      throw new RegistryError('TOO_MANY_REQUESTS', { detail });
    }
    const ref = await lifecycle.register(service, instance, keeper);
    if (keeper === 'connection') await table.hold(connection, { ref, service, instance });
  }

  async function remove(connection: Connection, service: NacosService, json: unknown) {
    const { ip, port } = readInstanceJson(json);
    const held = heldOf(connection, service).find(
      ({ instance }) => instance.ip === ip && instance.port === port,
    );
    if (held) return table.release(connection, held);
    const present = findAt(registry, service.key, ip, port);
    // What another client keeps is not this one's to take away.
    const ref = present && { namespace: present.service.namespace, id: present.id };
    if (ref && table.ownerOf(ref) === undefined) {
      await lifecycle.deregister(service.key, ip, port);
    }
  }

  async function instanceRequest(connection: Connection, body: Body): Promise<Answer> {
    const service = serviceOf(body);
    const type = requiredText(body, 'type');
    if (type === 'registerInstance') await add(connection, service, body.instance);
    else if (type === 'deregisterInstance') await remove(connection, service, body.instance);
    else throw illegal('type', 'registerInstance or deregisterInstance', type);
    return { type: 'InstanceResponse', body: { type } };
  }

  function infoOf(service: NacosService, clusters: string, healthyOnly: boolean) {
    return serviceInfoOf(parts, service, { clusters, healthyOnly });
  }

  return {
    InstanceRequest: instanceRequest,

    PersistentInstanceRequest: (connection, body) => {
      const { instance } = body;
      const kept = isObject(instance) ? { ...instance, ephemeral: false } : instance;
      return instanceRequest(connection, { ...body, instance: kept });
    },

    /** The list takes the place of what the client had of the service. */
    async BatchInstanceRequest(connection, body) {
      const service = serviceOf(body);
      const type = requiredText(body, 'type');
      const { instances } = body;
      if (type !== 'batchRegisterInstance') throw illegal('type', 'batchRegisterInstance', type);
      if (!Array.isArray(instances) || instances.length > MAX_BATCH) {
        throw illegal('instances', `a list of at most ${MAX_BATCH}`, typeof instances);
      }
      // All are read before one is registered: what is refused changes nothing.
      const wanted = new Set(
        instances.map((json) => {
          const { ip, port } = readInstanceJson(json);
          return `${ip} ${port}`;
        }),
      );
      await Promise.all(instances.map((json) => add(connection, service, json)));
      const gone = heldOf(connection, service).filter(
        ({ instance }) => !wanted.has(`${instance.ip} ${instance.port}`),
      );
      await Promise.all(gone.map((held) => table.release(connection, held)));
      return { type: 'BatchInstanceResponse', body: { type } };
    },

    SubscribeServiceRequest(connection, body) {
      const service = serviceOf(body);
      const clusters = text(body, 'clusters') ?? '';
      const { namespace: where, group, name } = service.key;
      const key = `${where}/${group}/${name} ${clusters}`;
      const present = connection.subscriptions.get(key);
      if (!readFlag(body.subscribe, 'subscribe', false)) {
        present?.end();
        connection.subscriptions.delete(key);
      } else if (!present && !connection.closed) {
        if (connection.subscriptions.size >= MAX_SUBSCRIPTIONS) {
          const detail = `A connection subscribes to ${MAX_SUBSCRIPTIONS} services at most.`;
          throw new RegistryError('TOO_MANY_WATCHERS', { detail });
        }
        const end = subscribe(connection, service, {
          ...parts,
          info: () => infoOf(service, clusters, false),
        });
        connection.subscriptions.set(key, { service, end });
      }
      const serviceInfo = infoOf(service, clusters, false);
      return { type: 'SubscribeServiceResponse', body: { serviceInfo } };
    },

    ServiceQueryRequest(_connection, body) {
      const clusters = text(body, 'cluster') ?? '';
      const healthyOnly = readFlag(body.healthyOnly, 'healthyOnly', false);
      const serviceInfo = infoOf(serviceOf(body), clusters, healthyOnly);
      return { type: 'QueryServiceResponse', body: { serviceInfo } };
    },

    ServiceListRequest(_connection, body) {
      const page = { no: Math.max(1, whole(body, 'pageNo', 1)), size: whole(body, 'pageSize', 20) };
      const of = { namespaceId: text(body, 'namespace'), groupName: text(body, 'groupName') };
      const { count, names } = listServices(parts, page, of);
      return { type: 'ServiceListResponse', body: { count, serviceNames: names } };
    },

    /** There is no configuration here; clients go on with their defaults. */
    ConfigQueryRequest: () => ({
      type: 'ConfigQueryResponse',
      body: {
        resultCode: 500,
        success: false,
        errorCode: 300,
        message: 'config data not exist',
      },
    }),
    ConfigBatchListenRequest: () => ({
      type: 'ConfigChangeBatchListenResponse',
      body: { changedConfigs: [] },
    }),
    ConfigPublishRequest: () => ({ type: 'ConfigPublishResponse', body: NOT_KEPT }),
    ConfigRemoveRequest: () => ({ type: 'ConfigRemoveResponse', body: NOT_KEPT }),
  };
}

const NOT_KEPT = {
  resultCode: 500,
  success: false,
  errorCode: 501,
  message: 'configuration is not kept here',
};

function heldOf(connection: Connection, { key }: NacosService) {
  return [...connection.held.values()].filter(
    ({ service }) =>
      service.key.name === key.name &&
      service.key.group === key.group &&
      service.key.namespace === key.namespace,
  );
}

function text(body: Body, name: string): string | undefined {
  const value = body[name];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw illegal(name, 'text', typeof value);
  return value;
}

function requiredText(body: Body, name: string): string {
  const value = text(body, name);
  if (value === undefined) throw missing(name);
  return value;
}

function whole(body: Body, name: string, fallback: number): number {
  const value = body[name] ?? fallback;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 1e9) {
    throw illegal(name, 'a whole number', String(value));
  }
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
