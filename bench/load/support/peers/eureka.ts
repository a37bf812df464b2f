import { access, readFile } from 'node:fs/promises';
import { requestBytes } from '../http-load.ts';
import { spawnPinned } from '../pinned-process.ts';
import {
  findProgram,
  freePort,
  LEASE_SECONDS,
  type MissingPeer,
  type RegistryApi,
  type RegistryPeer,
  untilReady,
} from './registry-peer.ts';

export const eurekaApi: RegistryApi = {
  register: '`POST /eureka/apps/{app}`',
  registration(host, { id, service, address, port, tags, metadata }) {
    const app = service.toUpperCase();
    const now = String(Date.now());
    return requestBytes('POST', `/eureka/apps/${app}`, host, {
      instance: {
        instanceId: id,
        hostName: address,
        app,
        ipAddr: address,
        status: 'UP',
        overriddenStatus: 'UNKNOWN',
        port: { $: port, '@enabled': 'true' },
        securePort: { $: 443, '@enabled': 'false' },
        countryId: 1,
        dataCenterInfo: {
          '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo',
          name: 'MyOwn',
        },
        leaseInfo: { renewalIntervalInSecs: 30, durationInSecs: LEASE_SECONDS },
        metadata: { ...metadata, tags: tags.join(' ') },
        vipAddress: service,
        lastUpdatedTimestamp: now,
        lastDirtyTimestamp: now,
        actionType: 'ADDED',
      },
    });
  },
  heartbeat: '`PUT /eureka/apps/{app}/{id}`',
  beat: (host, { id, service }) =>
    requestBytes('PUT', `/eureka/apps/${service.toUpperCase()}/${id}?status=UP`, host),
  beatsFilled: true,
};

export async function findEureka(): Promise<RegistryPeer | MissingPeer> {
  const name = 'Eureka';
  const jar = process.env.PORTOLAN_PEER_EUREKA;
  if (jar === undefined) {
    return { name, missing: 'PORTOLAN_PEER_EUREKA names no jar of a Eureka server' };
  }
  await access(jar);
  const java = await findProgram('PORTOLAN_PEER_JAVA', 'java');
  if (java === undefined) return { name, missing: 'no `java` on the PATH' };
  // The names of a jar's files stand in it as they are.
  const version = /eureka-core-([\d.]+)\.jar/.exec(await readFile(jar, 'latin1'))?.[1];
  return {
    name: version === undefined ? name : `Eureka ${version}`,
    durability: 'it is in memory',
    async start(folder) {
      const port = await freePort();
      const origin = `http://127.0.0.1:${port}`;
      // As its documentation has a server stand alone: it is its own only peer.
      const options = {
        'server.port': port,
        'server.address': '127.0.0.1',
        'eureka.instance.hostname': 'localhost',
        'eureka.client.register-with-eureka': false,
        'eureka.client.fetch-registry': false,
        'eureka.client.service-url.defaultZone': `http://localhost:${port}/eureka/`,
      };
      const flags = Object.entries(options).map(([key, value]) => `--${key}=${value}`);
      const server = spawnPinned([java, '-jar', jar, ...flags], { stdio: 'ignore', cwd: folder });
      await untilReady(server, `${origin}/eureka/apps/`);
      return { ...server, origin };
    },
    fill: (instances) => [
      {
        connections: 64,
        next(host, sequence) {
          const instance = instances[sequence];
          return instance && eurekaApi.registration(host, instance);
        },
      },
    ],
    apis: [eurekaApi],
  };
}
