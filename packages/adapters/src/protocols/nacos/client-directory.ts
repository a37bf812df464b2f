import type { NacosService } from './nacos-names.ts';

/** A client as operators ask for it: what it registered and what it listens to. */
export interface NacosClient {
  readonly id: string;
  readonly kind: 'connection' | 'ipPort';
  readonly lastUpdatedMs: number;
  readonly published: readonly PublishedInstance[];
  readonly subscribed: readonly NacosService[];
  /** `host:port` it is reached at. */
  readonly address: string;
}

export interface PublishedInstance {
  readonly service: NacosService;
  readonly ip: string;
  readonly port: number;
  readonly cluster: string;
}

/** The clients of every listener of Nacos. */
export interface ClientDirectory {
  add(source: () => Iterable<NacosClient>): void;
  all(): readonly NacosClient[];
}

export function createClientDirectory(): ClientDirectory {
  const sources: (() => Iterable<NacosClient>)[] = [];
  return {
    add(source) {
      sources.push(source);
    },
    all: () => sources.flatMap((source) => [...source()]),
  };
}
