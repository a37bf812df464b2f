import type { Clock, ControlRequest, HttpRoute, Registry } from '@portolan/core';
import type { ViewTexts } from '../views/view-texts.ts';
import type { DeltaWindow } from './delta-window.ts';

export interface EurekaDeps {
  readonly registry: Registry;
  readonly clock: Clock;
}

/** What every handler works with. */
export interface EurekaContext extends EurekaDeps {
  /** Eureka knows no namespaces: the one that its clients live in. */
  readonly namespace: string;
  readonly delta: DeltaWindow;
  readonly texts: ViewTexts;
}

/** One call below each of the base paths. */
export interface EurekaOperation extends Omit<HttpRoute, 'path'> {
  /** Below the base: `/apps/:app`. */
  readonly path: string;
}

/** Whether another Eureka server passes on what it was told. */
export function isReplication(request: ControlRequest): boolean {
  return request.header('x-netflix-discovery-replication')?.toLowerCase() === 'true';
}
