import type { Clock, Random } from '@portolan/core';
import type { PortolanConfig } from '../config/schema.ts';
import type { ListenAddress } from '../config/value-types.ts';
import type { ReadinessBoard } from '../lifecycle/readiness-board.ts';
import type { ShutdownStack } from '../lifecycle/shutdown-stack.ts';
import type { SwappableAddressPolicy } from '../lifecycle/swappable-policy.ts';
import type { ServerLogger } from '../telemetry/logger.ts';
import type { ServerMetrics } from '../telemetry/metrics.ts';

/** A listener of `gateway.listeners` that is up. */
export interface NamedListener extends ListenAddress {
  readonly name: string;
  readonly protocol: string;
}

/** What every part of the server is made with. */
export interface ServerContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: ServerLogger;
  readonly metrics: ServerMetrics;
  readonly version: string;
  /** Absolute. */
  readonly dataDir: string;
  /** The configuration in force; replaced at a reload. */
  config: PortolanConfig;
  readonly addressPolicy: SwappableAddressPolicy;
  readonly readiness: ReadinessBoard;
  readonly stack: ShutdownStack;
  /** Aborts when the server is to stop, also while it starts. */
  readonly stopping: AbortSignal;
  /** Whether the gateway's ports are shared with the other workers of it. */
  readonly sharesPorts: boolean;
  /** Called at every reload, after the new configuration is in force. */
  readonly onReload: (() => void)[];
  /** Where we listen, filled as the listeners come up. */
  readonly listeners: {
    control?: ListenAddress;
    gateway?: ListenAddress;
    /** Of `gateway.listeners`. */
    more?: NamedListener[];
    /** Of `dialects`, by name: those with a port of their own. */
    dialects?: NamedListener[];
  };
}
