import { fromNamespace, NACOS_DEFAULT_NAMESPACE } from '../nacos-names.ts';
import type { NacosContext, NacosOperation } from './nacos-context.ts';

/** How the server itself is. */
export function serverOperations(context: NacosContext): NacosOperation[] {
  const { registry, clients } = context;
  return [
    {
      method: 'GET',
      path: '/operator/metrics',
      handle({ parameters }) {
        if (parameters.flag(true, 'onlyStatus')) return { status: 'UP' };
        const namespaces = registry.namespaces();
        const sum = (field: 'services' | 'instances') =>
          namespaces.reduce((total, each) => total + each[field], 0);
        const instances = sum('instances');
        const all = clients.all();
        const subscriptions = all.reduce((total, { subscribed }) => total + subscribed.length, 0);
        return {
          status: 'UP',
          serviceCount: sum('services'),
          instanceCount: instances,
          subscribeCount: subscriptions,
          clientCount: all.length,
          responsibleInstanceCount: instances,
          cpu: -1,
          load: -1,
          mem: -1,
        };
      },
    },
    {
      method: 'GET',
      path: '/operator/switches',
      handle: () => ({
        name: '00-00---000-NACOS_SWITCH_DOMAIN-000---00-00',
        clientBeatInterval: 5_000,
        defaultCacheMillis: 10_000,
        defaultPushCacheMillis: 10_000,
        distroEnabled: false,
        healthCheckEnabled: true,
        lightBeatEnabled: true,
        pushEnabled: true,
      }),
    },
    {
      method: 'GET',
      path: '/operator/servers',
      versions: ['v1'],
      handle: () => ({ servers: [] }),
    },
  ];
}

/** The namespaces, as the console's own call lists them. */
export function namespaceList({ registry, namespace }: NacosContext) {
  return {
    code: 200,
    message: null,
    data: registry
      .namespaces()
      .map(({ name, instances }) => ({ name, id: fromNamespace(name, namespace), instances }))
      .map(({ name, id, instances }) => ({
        namespace: id === NACOS_DEFAULT_NAMESPACE ? '' : id,
        namespaceShowName: id === NACOS_DEFAULT_NAMESPACE ? NACOS_DEFAULT_NAMESPACE : name,
        quota: 200,
        configCount: 0,
        type: id === NACOS_DEFAULT_NAMESPACE ? 0 : 2,
        instances,
      })),
  };
}
