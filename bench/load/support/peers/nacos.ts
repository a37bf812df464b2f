import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { requestBytes } from '../http-load.ts';
import { spawnPinned } from '../pinned-process.ts';
import {
  type BenchInstance,
  findProgram,
  freePort,
  type MissingPeer,
  type RegistryApi,
  type RegistryPeer,
  untilReady,
} from './registry-peer.ts';

/** Its client sends an instance's facts as parameters of the query. */
export const nacosApi: RegistryApi = {
  register: '`POST /nacos/v1/ns/instance`',
  registration(host, instance) {
    const query = new URLSearchParams({
      ...addressOf(instance),
      weight: '1',
      ephemeral: 'true',
      metadata: JSON.stringify(metadataOf(instance)),
    });
    return requestBytes('POST', `/nacos/v1/ns/instance?${query}`, host);
  },
  heartbeat: '`PUT /nacos/v1/ns/instance/beat`',
  beat(host, instance) {
    const { service, address, port } = instance;
    const beat = {
      ip: address,
      port,
      cluster: 'DEFAULT',
      serviceName: service,
      weight: 1,
      metadata: metadataOf(instance),
      scheduled: false,
    };
    const query = new URLSearchParams({ serviceName: service, beat: JSON.stringify(beat) });
    return requestBytes('PUT', `/nacos/v1/ns/instance/beat?${query}`, host);
  },
  beatsFilled: true,
};

function addressOf({ service, address, port }: BenchInstance): Record<string, string> {
  return { serviceName: service, ip: address, port: String(port) };
}

/** With a heartbeat that is not missed while it is measured. */
function metadataOf({ metadata, tags }: BenchInstance): Record<string, string> {
  return {
    ...metadata,
    tags: tags.join(' '),
    'preserved.heart.beat.timeout': '3600000',
    'preserved.ip.delete.timeout': '3600000',
  };
}

export async function findNacos(): Promise<RegistryPeer | MissingPeer> {
  const name = 'Nacos';
  const home = process.env.PORTOLAN_PEER_NACOS;
  if (home === undefined) {
    return { name, missing: 'PORTOLAN_PEER_NACOS names no folder of an unpacked Nacos 2' };
  }
  const jar = join(home, 'target', 'nacos-server.jar');
  await access(jar);
  const java = await findProgram('PORTOLAN_PEER_JAVA', 'java');
  if (java === undefined) return { name, missing: 'no `java` on the PATH' };
  return {
    name,
    durability: 'an ephemeral instance is in memory',
    async start(folder) {
      const port = await freePort();
      // What its bin/startup.sh runs, with a data folder of its own.
      const command = [
        java,
        '-Dnacos.standalone=true',
        `-Dnacos.home=${folder}`,
        `-Dserver.port=${port}`,
        '-jar',
        jar,
        `--spring.config.additional-location=file:${join(home, 'conf')}/`,
        'nacos.nacos',
      ];
      const server = spawnPinned(command, { stdio: 'ignore', cwd: folder });
      const origin = `http://127.0.0.1:${port}`;
      await untilReady(server, `${origin}/nacos/v1/ns/operator/metrics`, (text) =>
        /"UP"/.test(text),
      );
      return { ...server, origin };
    },
    fill: (instances) => [
      {
        connections: 64,
        next(host, sequence) {
          const instance = instances[sequence];
          return instance && nacosApi.registration(host, instance);
        },
      },
    ],
    apis: [nacosApi],
  };
}
