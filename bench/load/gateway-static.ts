// The gateway over the two static endpoints that compare-proxy starts; prints the URL. Usage: node gateway-static.ts [PORT]
import {
  type CatalogueReader,
  DEFAULT_INTENT,
  type Instance,
  NO_LOGGER,
  NO_METRICS,
  toServiceView,
} from '@portolan/core';
import { createGateway } from '@portolan/gateway';

const service = { namespace: 'default', group: 'default', name: 'static' };
const view = toServiceView(service, 1, [19_001, 19_002].map(toInstance));

function toInstance(port: number): Instance {
  return {
    id: `static-${port}`,
    service,
    address: '127.0.0.1',
    port,
    tags: [],
    metadata: {},
    labels: {},
    weight: 100,
    effectiveWeight: 100,
    checks: [],
    initialStatus: 'passing',
    registeredAtMs: 0,
    status: 'passing',
    statusReason: '',
    intent: DEFAULT_INTENT,
    routable: true,
    protected: false,
    createRevision: 1,
    modifyRevision: 1,
  };
}

const catalogue: CatalogueReader = {
  revision: 1,
  services: () => [
    { service, revision: 1, instances: 2, routable: 2, protected: false, exclusive: false },
  ],
  view: (key) => (key.name === service.name ? view : undefined),
  instance: () => undefined,
  routes: () => [
    {
      name: 'all',
      namespace: 'default',
      hosts: [],
      matches: [],
      destinations: [
        { service: 'static', namespace: 'default', group: 'default', subset: {}, weight: 1 },
      ],
      createRevision: 1,
      modifyRevision: 1,
    },
  ],
  policies: () => [],
  subscribe: () => () => undefined,
  subscribeService: () => () => undefined,
};

const gateway = createGateway(
  {},
  {
    catalogue,
    clock: {
      now: () => performance.now(),
      wallNow: () => Date.now(),
      setTimer(delayMs, callback) {
        const timer = setTimeout(callback, delayMs).unref();
        return { cancel: () => clearTimeout(timer) };
      },
    },
    random: Math.random,
    logger: NO_LOGGER,
    metrics: NO_METRICS,
    addressPolicy: { check: () => ({ allowed: true }) },
    resolve: async (name) => [name],
  },
);
const { port } = await gateway.listen('127.0.0.1', Number(process.argv[2] ?? 18_080));
console.log(`http://127.0.0.1:${port}`);
