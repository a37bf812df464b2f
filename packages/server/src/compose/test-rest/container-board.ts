import type { ContainerBoard } from '@portolan/adapters';

/** Two containers of an engine, one of them out of reach. */
export const CONTAINER_BOARD: ContainerBoard = {
  view: () => ({
    engine: 'unix:///var/run/docker.sock',
    apiVersion: '1.51',
    connected: true,
    place: {
      kind: 'host',
      networkIds: new Set(),
      hostAddresses: ['127.0.0.1'],
      why: 'this process runs on the engine’s machine',
    },
    containers: [
      {
        kind: 'container',
        id: 'a'.repeat(64),
        name: 'api',
        image: 'api:1',
        state: 'running',
        standing: 'registered',
        reason: '',
        exposedBy: 'portolan labels',
        services: [
          {
            service: 'api',
            instanceId: 'api-aaaaaaaaaaaa-80',
            portRule: 'label',
            choice: {
              chosen: { address: '172.17.0.2', port: 80, rule: 'network bridge (bridge)' },
              passedOver: [],
            },
          },
        ],
        routes: ['docker-api-00000000'],
        notes: [],
      },
      {
        kind: 'container',
        id: 'b'.repeat(64),
        name: 'lonely',
        image: 'api:1',
        state: 'running',
        standing: 'unroutable',
        reason: 'port 80: none of its networks can be reached',
        exposedBy: 'traefik labels',
        services: [
          {
            service: 'lonely',
            instanceId: 'lonely-bbbbbbbbbbbb-80',
            portRule: 'the only exposed port',
            choice: {
              passedOver: [{ candidate: '10.0.1.3:80 (network mesh)', reason: 'an overlay' }],
              reason: 'none of its networks can be reached',
            },
          },
        ],
        routes: [],
        notes: [],
      },
    ],
  }),
  refusals: () => new Map([['route default/docker-api-00000000', 'it was changed']]),
};
