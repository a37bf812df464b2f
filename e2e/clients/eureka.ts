import { type EventEmitter, once } from 'node:events';
import { createRequire } from 'node:module';

/** What the suite uses of `eureka-js-client`, which brings no types. */
export interface EurekaJsClient extends EventEmitter {
  start(done?: (error?: Error | null) => void): void;
  stop(done?: (error?: Error | null) => void): void;
  fetchRegistry(done: (error?: Error | null) => void): void;
  renew(): void;
  getInstancesByAppId(app: string): readonly EurekaJsInstance[];
  getInstancesByVipAddress(vip: string): readonly EurekaJsInstance[];
}

export interface EurekaJsInstance {
  readonly instanceId: string;
  readonly ipAddr: string;
  readonly status: string;
  readonly port: { readonly $: number };
  readonly metadata: Readonly<Record<string, string>>;
}

const require = createRequire(import.meta.url);
const { Eureka } = require('eureka-js-client') as {
  Eureka: new (config: object) => EurekaJsClient;
};
const SILENT = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/** The client as an application makes it: one URL, and its defaults for the rest. */
export function createEurekaClient(control: string, instance: object, eureka: object = {}) {
  const { hostname, port } = new URL(control);
  const { shouldUseDelta = false, ...own } = eureka as { shouldUseDelta?: boolean };
  return new Eureka({
    logger: SILENT,
    shouldUseDelta,
    instance: {
      dataCenterInfo: {
        '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo',
        name: 'MyOwn',
      },
      ...instance,
    },
    eureka: { host: hostname, port: Number(port), maxRetries: 0, ...own },
  });
}

export async function started(client: EurekaJsClient): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  client.start((error) => (error ? reject(error) : resolve()));
  await promise;
}

export async function stopped(client: EurekaJsClient): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  client.stop((error) => (error ? reject(error) : resolve()));
  await promise;
}

export async function refreshed(client: EurekaJsClient): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  client.fetchRegistry((error) => (error ? reject(error) : resolve()));
  await promise;
}

export function heard(client: EurekaJsClient, event: string): Promise<unknown> {
  return once(client, event);
}

function ignore(): void {
  // What matters is in the events and answers.
}
