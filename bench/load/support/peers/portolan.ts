import { requestBytes } from '../http-load.ts';
import { startServer } from '../server-process.ts';
import { consulAgentApi } from './consul.ts';
import { eurekaApi } from './eureka.ts';
import { nacosApi } from './nacos.ts';
import {
  type BenchInstance,
  inBatches,
  LEASE_SECONDS,
  type RegistryApi,
  type RegistryPeer,
} from './registry-peer.ts';

const BATCH = 500;

function registrationOf({ index: _, ...instance }: BenchInstance): object {
  return { ...instance, ttl: LEASE_SECONDS };
}

export const nativeApi: RegistryApi = {
  register: '`POST /register`',
  registration: (host, instance) =>
    requestBytes('POST', '/register', host, registrationOf(instance)),
  heartbeat: '`PUT /api/v1/instances/{id}/heartbeat`',
  beat: (host, { id }) => requestBytes('PUT', `/api/v1/instances/${id}/heartbeat`, host),
  beatsFilled: true,
};

export const portolan: RegistryPeer = {
  name: 'Portolan',
  durability: 'it is on disk',
  async start(folder) {
    const {
      control,
      gateway: _,
      startMs: __,
      dispose: ___,
      ...server
    } = await startServer({
      dataDir: folder,
    });
    return { ...server, origin: control };
  },
  fill: (instances) => [
    {
      connections: 4,
      next: inBatches(instances, BATCH, (host, batch) =>
        requestBytes('POST', '/api/v1/instances/batch', host, {
          instances: batch.map(registrationOf),
        }),
      ),
    },
  ],
  apis: [nativeApi],
};

/** The others' APIs that it speaks as well. */
export const spokenApis: readonly RegistryApi[] = [consulAgentApi, eurekaApi, nacosApi].map(
  (api) => ({ ...api, beatsFilled: false }),
);
