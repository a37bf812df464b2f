import type { Clock, Logger, Random } from '@portolan/core';
import type { DockerSource } from '../engine/docker-source.ts';
import type { DiscoveryMetrics } from './discovery-metrics.ts';
import type { EngineState } from './engine-state.ts';
import type { RestartLoopOptions } from './restart-loops.ts';

export interface WatchOptions {
  /** Events of one container within this time are one. */
  readonly coalesceMs: number;
  /** Everything is compared with the list this often. */
  readonly resyncMs: number;
  /** Silence after which the daemon is asked whether it is there. */
  readonly idleMs: number;
  readonly pingTimeoutMs: number;
  /** An engine that does not tell of stops is asked for them this often. */
  readonly stopPollMs: number;
  /** Swarm tasks have no events: they are asked for this often, and much more often while a service changes. */
  readonly swarmPollMs: number;
  readonly swarmBusyPollMs: number;
  /** Whether a swarm that the engine manages is asked for. */
  readonly swarm: boolean;
  readonly reconnect: { readonly baseMs: number; readonly maxMs: number };
  /** A container that was told to stop and still runs is believed again after this long. */
  readonly drainLimitMs: number;
  /** How long a list is doubted that shows much less than was known, after the daemon was away. */
  readonly doubtMs: number;
  readonly restartLoop: RestartLoopOptions;
}

export interface WatchDeps {
  readonly source: DockerSource;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: DiscoveryMetrics;
  /** Called each time a connection could not be made, or was lost. */
  readonly onAway: (reason: string) => void;
  /** Called with the state when it changed, and at each resync. */
  readonly onState: (state: EngineState) => void;
}
