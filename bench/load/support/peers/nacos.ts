import { access, mkdir, readdir } from 'node:fs/promises';
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

/** How one of its servers is run from a folder. */
interface Distribution {
  readonly version: string | undefined;
  readonly durability: string;
  /** What follows `java`. */
  command(folder: string, port: number): readonly string[];
  readonly ready: { readonly path: string; readonly says: RegExp };
  /** What a service has to be told once, for its instances to stay although nobody beats for them. */
  keep?(host: string, service: string): Buffer;
}

/** Nacos 2 as its project packs it. */
function packed(home: string): Distribution {
  return {
    version: undefined,
    durability: 'an ephemeral instance is in memory',
    command: (folder, port) => [
      // What its bin/startup.sh runs, with a data folder of its own.
      '-Dnacos.standalone=true',
      `-Dnacos.home=${folder}`,
      `-Dserver.port=${port}`,
      '-jar',
      join(home, 'target', 'nacos-server.jar'),
      `--spring.config.additional-location=file:${join(home, 'conf')}/`,
      'nacos.nacos',
    ],
    ready: { path: '/nacos/v1/ns/operator/metrics', says: /"UP"/ },
  };
}

/** Its naming module with what that needs, as Maven has it: the server itself up to 0.8, whose instances are all persistent. */
function naming(home: string, version: string): Distribution {
  return {
    version,
    durability: "its service's file has it, fsync",
    command: (folder, port) => [
      '-Dnacos.standalone=true',
      `-Dnacos.home=${folder}`,
      `-Duser.home=${folder}`,
      `-Dserver.port=${port}`,
      '-cp',
      join(home, '*'),
      'com.alibaba.nacos.naming.NamingApp',
      `--server.port=${port}`,
      '--server.servlet.context-path=/nacos',
    ],
    ready: { path: '/nacos/v1/ns/raft/state', says: /"LEADER"/ },
    keep(host, service) {
      const query = new URLSearchParams({
        serviceName: service,
        healthCheckMode: 'none',
        protectThreshold: '0',
      });
      return requestBytes('POST', `/nacos/v1/ns/service?${query}`, host);
    },
  };
}

async function findDistribution(home: string): Promise<Distribution> {
  const names = await readdir(home);
  const version = names.map((name) => /^nacos-naming-([\d.]+)\.jar$/.exec(name)?.[1]).find(Boolean);
  if (version !== undefined) return naming(home, version);
  await access(join(home, 'target', 'nacos-server.jar'));
  return packed(home);
}

export async function findNacos(): Promise<RegistryPeer | MissingPeer> {
  const name = 'Nacos';
  const home = process.env.PORTOLAN_PEER_NACOS;
  if (home === undefined) {
    return { name, missing: 'PORTOLAN_PEER_NACOS names no folder of a Nacos server' };
  }
  const distribution = await findDistribution(home);
  const java = await findProgram('PORTOLAN_PEER_JAVA', 'java');
  if (java === undefined) return { name, missing: 'no `java` on the PATH' };
  const { version, durability, ready, keep } = distribution;
  return {
    name: version === undefined ? name : `Nacos ${version}`,
    durability,
    async start(folder) {
      const port = await freePort();
      await mkdir(join(folder, 'conf'));
      const server = spawnPinned([java, ...distribution.command(folder, port)], {
        stdio: 'ignore',
        cwd: folder,
      });
      const origin = `http://127.0.0.1:${port}`;
      await untilReady(server, `${origin}${ready.path}`, (text) => ready.says.test(text));
      return { ...server, origin };
    },
    fill(instances) {
      const services = keep ? [...new Set(instances.map(({ service }) => service))] : [];
      return [
        {
          connections: 8,
          next(host, sequence) {
            const service = services[sequence];
            return service === undefined ? undefined : keep?.(host, service);
          },
        },
        {
          connections: 64,
          next(host, sequence) {
            const instance = instances[sequence];
            return instance && nacosApi.registration(host, instance);
          },
        },
      ];
    },
    apis: [nacosApi],
  };
}
