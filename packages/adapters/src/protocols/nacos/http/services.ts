import { RegistryError, serviceId } from '@portolan/core';
import { illegal, serviceExists, serviceNotEmpty } from '../nacos-error.ts';
import { readMetadataText } from '../nacos-instance.ts';
import {
  fromServiceKey,
  groupedName,
  type NacosService,
  toGroup,
  toNamespace,
} from '../nacos-names.ts';
import { clusterOf } from '../service-info.ts';
import type { NacosCall, Parameters } from './nacos-call.ts';
import { type NacosContext, type NacosOperation, serviceOf } from './nacos-context.ts';

const MAX_PAGE = 500;

/** Services by name: those that have instances, and those created by themselves. */
export function serviceOperations(context: NacosContext): NacosOperation[] {
  const { registry, services } = context;
  const instancesOf = ({ key }: NacosService) => registry.view(key)?.instances ?? [];
  const exists = (service: NacosService) =>
    instancesOf(service).length > 0 || services.get(service.key) !== undefined;
  const required = (service: NacosService): void => {
    if (!exists(service)) {
      throw new RegistryError('SERVICE_NOT_FOUND', {
        detail: `service not found, namespace: ${service.namespaceId.slice(0, 64)}, serviceName: ${groupedName(service).slice(0, 200)}`,
      });
    }
  };

  return [
    {
      method: 'POST',
      path: '/service',
      handle(call) {
        const service = serviceOf(context, call);
        if (services.get(service.key)) throw serviceExists(groupedName(service).slice(0, 200));
        services.put({ key: service.key, ...wordsOf(call.parameters) });
        return 'ok';
      },
    },
    {
      method: 'PUT',
      path: '/service',
      handle(call) {
        const service = serviceOf(context, call);
        required(service);
        services.put({ key: service.key, ...wordsOf(call.parameters) });
        return 'ok';
      },
    },
    {
      method: 'DELETE',
      path: '/service',
      handle(call) {
        const service = serviceOf(context, call);
        required(service);
        if (instancesOf(service).length > 0) {
          throw serviceNotEmpty(groupedName(service).slice(0, 200));
        }
        services.delete(service.key);
        return 'ok';
      },
    },
    {
      method: 'GET',
      path: '/service',
      handle(call) {
        const service = serviceOf(context, call);
        required(service);
        const { namespaceId, groupName, serviceName } = service;
        const { protectThreshold = 0, metadata = {} } = services.get(service.key) ?? {};
        const names = new Set(instancesOf(service).map(clusterOf));
        const clusters = [...names].sort().map((name) => ({
          name,
          healthChecker: { type: 'TCP' },
          metadata: {},
        }));
        const selector = { type: 'none' };
        if (call.api === 'v1') {
          return {
            ...{ namespaceId, groupName, name: serviceName },
            ...{ protectThreshold, metadata, selector, clusters },
          };
        }
        const clusterMap = Object.fromEntries(
          clusters.map(({ name, ...cluster }) => [name, { clusterName: name, ...cluster }]),
        );
        return {
          ...{ namespace: namespaceId, groupName, serviceName, protectThreshold, metadata },
          ...{ selector, clusterMap, ephemeral: true },
        };
      },
    },
    {
      method: 'GET',
      path: '/service/list',
      handle(call) {
        const { count, names } = listServices(context, pageOf(call), {
          namespaceId: call.parameters.get('namespaceId'),
          groupName: call.parameters.get('groupName'),
        });
        return call.api === 'v1' ? { count, doms: names } : { count, services: names };
      },
    },
    {
      method: 'GET',
      path: '/service/subscribers',
      versions: ['v1'],
      handle(call) {
        const service = serviceOf(context, call);
        const subscribers = context.clients
          .all()
          .filter(({ subscribed }) =>
            subscribed.some(({ key }) => serviceId(key) === serviceId(service.key)),
          )
          .map(({ address }) => ({ addrStr: address }));
        return { count: subscribers.length, subscribers };
      },
    },
  ];
}

/** Names of a group, in order; a page of them. */
export function listServices(
  { registry, services, namespace }: Pick<NacosContext, 'registry' | 'services' | 'namespace'>,
  page: { readonly no: number; readonly size: number },
  of: { readonly namespaceId: string | undefined; readonly groupName: string | undefined },
): { readonly count: number; readonly names: readonly string[] } {
  const where = toNamespace(of.namespaceId, namespace);
  const group = toGroup(of.groupName);
  const found = new Set<string>();
  for (const { service } of registry.services(where)) {
    if (service.group === group) found.add(fromServiceKey(service, namespace).serviceName);
  }
  for (const { key } of services.of(where)) {
    if (key.group === group) found.add(fromServiceKey(key, namespace).serviceName);
  }
  const names = [...found].sort();
  const from = (page.no - 1) * page.size;
  return { count: names.length, names: names.slice(from, from + page.size) };
}

function pageOf({ parameters, api }: NacosCall): { no: number; size: number } {
  const no = parameters.whole('pageNo', api === 'v1' ? undefined : 1);
  const size = parameters.whole('pageSize', api === 'v1' ? undefined : 20);
  return { no: Math.max(1, no), size: Math.min(MAX_PAGE, size) };
}

function wordsOf(parameters: Parameters) {
  const text = parameters.get('protectThreshold') ?? '0';
  const protectThreshold = Number(text);
  if (!(protectThreshold >= 0 && protectThreshold <= 1)) {
    throw illegal('protectThreshold', 'a number from 0 to 1', text);
  }
  return { protectThreshold, metadata: readMetadataText(parameters.get('metadata') ?? '') };
}
