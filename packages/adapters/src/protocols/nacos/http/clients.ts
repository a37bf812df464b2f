import { RegistryError, serviceId } from '@portolan/core';
import type { NacosClient, PublishedInstance } from '../client-directory.ts';
import { fromServiceKey, type NacosService } from '../nacos-names.ts';
import { clusterOf } from '../service-info.ts';
import { BEAT_CHECK } from '../to-registration.ts';
import type { NacosCall } from './nacos-call.ts';
import { type NacosContext, type NacosOperation, serviceOf } from './nacos-context.ts';

/** Who is connected: questions of operators, since the second version. */
export function clientOperations(context: NacosContext): NacosOperation[] {
  const { clients } = context;
  const get = (path: string, handle: (call: NacosCall) => object): NacosOperation => ({
    method: 'GET',
    path,
    versions: ['v2'],
    handle,
  });
  const one = ({ parameters }: NacosCall): NacosClient => {
    const id = parameters.required('clientId');
    const found = clients.all().find((client) => client.id === id);
    if (found) return found;
    throw new RegistryError('PATH_NOT_FOUND', {
      detail: `clientId [ ${id.slice(0, 128)} ] not exist`,
    });
  };
  const ofService = (call: NacosCall) => {
    const wanted = serviceId(serviceOf(context, call).key);
    return (service: NacosService) => serviceId(service.key) === wanted;
  };

  return [
    get('/client/list', () => clients.all().map(({ id }) => id)),
    get('/client', (call) => {
      const { id, kind, lastUpdatedMs } = one(call);
      return { clientId: id, ephemeral: true, lastUpdatedTime: lastUpdatedMs, clientType: kind };
    }),
    get('/client/publish/list', (call) =>
      one(call).published.map(({ service, ip, port, cluster }) => ({
        ...namesOf(service),
        registeredInstance: { ip, port, cluster },
      })),
    ),
    get('/client/subscribe/list', (call) => {
      const { subscribed, address } = one(call);
      return subscribed.map((service) => ({
        ...namesOf(service),
        subscriberInfo: { app: 'unknown', agent: 'unknown', addr: address },
      }));
    }),
    get('/client/service/publisher/list', (call) => {
      const isWanted = ofService(call);
      return clients
        .all()
        .flatMap(({ id, published }) =>
          published
            .filter(({ service }) => isWanted(service))
            .map(({ ip, port }) => ({ clientId: id, ip, port })),
        );
    }),
    get('/client/service/subscriber/list', (call) => {
      const isWanted = ofService(call);
      return clients
        .all()
        .filter(({ subscribed }) => subscribed.some(isWanted))
        .map(({ id, address }) => {
          const at = address.lastIndexOf(':');
          return { clientId: id, ip: address.slice(0, at), port: Number(address.slice(at + 1)) };
        });
    }),
  ];
}

/** Clients that beat over HTTP are told apart by the address they keep, and those that listen over UDP by their port. */
export function* httpClients({
  registry,
  namespace,
  udp,
}: Pick<NacosContext, 'registry' | 'namespace' | 'udp'>): Generator<NacosClient> {
  const beating = new Map<string, NacosClient & { published: PublishedInstance[] }>();
  for (const { service } of registry.services()) {
    for (const instance of registry.view(service)?.instances ?? []) {
      if (!instance.checks.some(({ id }) => id === BEAT_CHECK)) continue;
      const { address: ip, port, registeredAtMs } = instance;
      const address = `${ip}:${port}`;
      const id = `${address}#true`;
      const kind = 'ipPort';
      const client = beating.get(id) ?? {
        ...{ id, kind, lastUpdatedMs: registeredAtMs, published: [], subscribed: [], address },
      };
      const names = fromServiceKey(service, namespace);
      client.published.push({ service: names, ip, port, cluster: clusterOf(instance) });
      beating.set(id, client);
    }
  }
  yield* beating.values();
  for (const { address, services, sinceMs } of udp.listeners()) {
    yield {
      id: `${address}#udp`,
      kind: 'ipPort',
      lastUpdatedMs: sinceMs,
      published: [],
      subscribed: services,
      address,
    };
  }
}

function namesOf({ namespaceId, groupName, serviceName }: NacosService) {
  return { namespace: namespaceId, group: groupName, serviceName };
}
