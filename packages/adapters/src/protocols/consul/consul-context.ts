import type { Clock, Logger, Random, Registry } from '@portolan/core';
import type { WatcherBudget } from '../watching/watcher-budget.ts';
import type { CatalogueIndexes } from './query/catalogue-indexes.ts';
import type { ReplyCache } from './query/reply-cache.ts';

export interface ConsulAdapterOptions {
  /** Of this server; clients are told the version of Consul whose API this is. */
  readonly version: string;
  /** Default `dc1`. */
  readonly datacenter?: string;
  /** Name of the one agent that this server is; default `portolan`. */
  readonly nodeName?: string;
  /** Host that `/v1/status/leader` and the agent's node name; default `127.0.0.1`. */
  readonly advertise?: string;
  /** Blocking queries at a time; default 20,000. */
  readonly maxWatchers?: number;
  /** Serialised answers kept for the next reader; default 32 MiB. */
  readonly replyCacheBytes?: number;
}

export interface ConsulDeps {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** What every handler works with. */
export interface ConsulContext extends ConsulDeps {
  readonly version: string;
  readonly datacenter: string;
  readonly nodeName: string;
  readonly advertise: string;
  readonly watchers: WatcherBudget;
  readonly indexes: CatalogueIndexes;
  readonly replies: ReplyCache;
  /** Lets everything else that waits have its turn. */
  readonly turn: () => Promise<void>;
  /** Runs `work` alone among the works of one key: what is read before a write still holds when it is written. */
  readonly alone: <T>(key: string, work: () => Promise<T>) => Promise<T>;
}
