import type { RouteExplainer } from '@portolan/core';
import type { GatewayStats } from '@portolan/gateway';

/** The gateway as the server sees it: in this process, or in workers. */
export interface DataPlane extends RouteExplainer {
  /** Takes the configuration in force over. */
  configure(): void | Promise<void>;
  stats(): GatewayStats;
  /** One line for each worker process; absent when there is none. */
  workers?(): readonly object[];
}
