import { createRequire } from 'node:module';

/** What the suite uses of the npm package `nacos`. */
export interface NacosNamingClient {
  ready(): Promise<void>;
  registerInstance(service: string, instance: object, group?: string): Promise<void>;
  deregisterInstance(service: string, instance: object, group?: string): Promise<void>;
  getAllInstances(
    service: string,
    group?: string,
    clusters?: string,
    subscribe?: boolean,
  ): Promise<readonly NacosHost[]>;
  selectInstances(
    service: string,
    group?: string,
    clusters?: string,
    healthy?: boolean,
    subscribe?: boolean,
  ): Promise<readonly NacosHost[]>;
  subscribe(info: string | object, listener: (hosts: readonly NacosHost[]) => void): void;
  unSubscribe(info: string | object, listener?: (hosts: readonly NacosHost[]) => void): void;
  getServerStatus(): Promise<string>;
  close(): Promise<void>;
}

export interface NacosHost {
  readonly ip: string;
  readonly port: number;
  readonly weight: number;
  readonly healthy: boolean;
  readonly clusterName: string;
  readonly metadata: Readonly<Record<string, string>>;
}

const require = createRequire(import.meta.url);
const nacos = require('nacos') as {
  NacosNamingClient: new (options: object) => NacosNamingClient;
};
const SILENT = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/** The client as an application makes it: one address, and its defaults for the rest. */
export async function createNacosClient(
  control: string,
  options: object = {},
): Promise<NacosNamingClient> {
  const client = new nacos.NacosNamingClient({
    logger: SILENT,
    serverList: new URL(control).host,
    namespace: 'public',
    ...options,
  });
  await client.ready();
  return client;
}

function ignore(): void {
  // What matters is in the answers.
}
